"""What ``vigil doctor`` says of the workers: who runs, what troubles them, since when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cli.doctor.finding import Finding, State, ago
from vigil.service.errors import VigilError
from vigil.service.health import ADVISORY, is_ready

if TYPE_CHECKING:
    from vigil.composition.status_reader import LastStatus
    from vigil.service.settings import Settings

SERVICES = ("detectors", "explain", "notify", "store")
SILENT = timedelta(seconds=10)
"""A process that said nothing for so long has died or hangs: it speaks every two seconds."""
RECENT = timedelta(minutes=10)
"""So long a process that died is named where others do its work."""


def workers(settings: Settings) -> Iterator[Finding]:
    """Who was heard of last, and why alerts did not get better words."""
    from vigil.composition.status_reader import read_statuses
    from vigil.values.clock import utc_now

    try:
        said = read_statuses(settings)
    except VigilError:
        return  # said by the broker's own check
    yield from judged(said, _before(settings), utc_now())


def _before(settings: Settings) -> dict[str, datetime]:
    """Service → when it was last heard of, as the database has it: within a week."""
    import psycopg

    from store.database.connections import connect
    from store.workers.status_rows import KEPT, list_processes
    from vigil.values.clock import utc_now

    try:
        with connect(settings, autocommit=True) as connection:
            lines = list_processes(connection, utc_now() - KEPT)
    except (VigilError, psycopg.errors.UndefinedTable):
        return {}  # said by the database's own check
    return {line.service: line.time for line in reversed(lines)}


def judged(
    said: Sequence[LastStatus], before: Mapping[str, datetime], now: datetime
) -> Iterator[Finding]:
    """The findings of what the processes said last, the newest first.

    Args:
        before: service → when it was last heard of, where that is longer ago.
    """
    by_service: dict[str, list[LastStatus]] = defaultdict(list)
    for each in said:
        by_service[each.status.service].append(each)
    running = [each for each in said if _runs(each, now)]
    if not running and all(each.status.ended for each in said):
        last = "none was heard of within a week"
        if said or before:
            moment = said[0].received_at if said else max(before.values())
            last = f"one was last heard of {ago(moment, now)}"
        yield Finding("workers", "note", f"none runs; {last}", "vigil up")
        return
    for service in sorted({*SERVICES, *by_service}):
        yield from _service(service, by_service[service], before.get(service), now)
    yield from _words(running)


def _runs(said: LastStatus, now: datetime) -> bool:
    return not said.status.ended and now - said.received_at < SILENT


def _service(
    service: str, said: Sequence[LastStatus], before: datetime | None, now: datetime
) -> Iterator[Finding]:
    running = [each for each in said if _runs(each, now)]
    for each in running:
        yield _process(each, now)
    if not running:
        if not said:
            last = "within a week" if before is None else f"since {ago(before, now)}"
            what = f"no process runs; none was heard of {last}"
        elif said[0].status.ended:
            what = f"no process runs; {_name(said[0])} stopped {ago(said[0].received_at, now)}"
        else:
            since = ago(said[0].received_at, now)
            what = f"no process runs; {_name(said[0])} was last heard of {since}"
        yield Finding(service, "wrong", what, f"vigil run {service}")
        return
    for each in said:
        if each not in running and not each.status.ended and now - each.received_at < RECENT:
            since = ago(each.received_at, now)
            yield Finding(
                service,
                "note",
                f"{_name(each)} was last heard of {since}: it died, and others work",
                "The log of that process says why.",
            )


def _process(said: LastStatus, now: datetime) -> Finding:
    status = said.status
    heard = f"{_name(said)}, heard of {ago(said.received_at, now)}"
    if not status.trouble:
        lag = status.gauges.get("lag_messages")
        waiting = f"; {lag:.0f} messages wait" if lag else ""
        return Finding(status.service, "ok", f"working{waiting} ({heard})")
    troubles = "; ".join(
        f"{part}: {what.rstrip('.')}, since {ago(status.since.get(part, status.time), now)}"
        for part, what in sorted(
            status.trouble.items(), key=lambda pair: (pair[0] in ADVISORY, pair)
        )
    )
    state: State = "note" if is_ready(status.trouble) else "wrong"
    return Finding(status.service, state, f"{troubles} ({heard})", _mend(status.trouble))


def _mend(trouble: dict[str, str]) -> str:
    if "stuck" in trouble or "transaction" in trouble:
        return "See “Where messages stand still” in docs/operations.md."
    return ""


def _name(said: LastStatus) -> str:
    return f"instance {said.status.instance[:8]}"


def _words(running: Sequence[LastStatus]) -> Iterator[Finding]:
    from explain.language_model.reasons import counted_failures
    from store.workers.status_rows import sum_counters

    total = sum_counters(each.status for each in running)
    for _, meaning, times in counted_failures(total):
        yield Finding("words", "note", f"{times} times without the model: {meaning}")
    if refused := total["rewordings_refused"]:
        yield Finding("words", "note", f"{refused} sentences of the model were refused")
