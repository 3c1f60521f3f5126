"""Checks of the workers: which run, what is wrong with them, since when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cli.doctor.finding import Finding, State, format_age
from vigil.service.errors import VigilError
from vigil.service.health import ADVISORY, is_ready

if TYPE_CHECKING:
    from vigil.composition.status_reader import LastStatus
    from vigil.service.settings import Settings

SERVICES = ("detectors", "explain", "notify", "store")
SILENT = timedelta(seconds=10)
"""A process without a report for so long has died or hangs: it reports every two seconds."""
RECENT = timedelta(minutes=10)
"""How long a process that died is listed where others do its work."""


def workers(settings: Settings) -> Iterator[Finding]:
    """Check which workers run, and why alerts were not reworded."""
    from vigil.composition.status_reader import read_statuses
    from vigil.values.clock import utc_now

    try:
        reports = read_statuses(settings)
    except VigilError:
        return  # reported by the broker's own check
    yield from judged(reports, _last_seen(settings), utc_now())


def _last_seen(settings: Settings) -> dict[str, datetime]:
    """Service → its newest report in the database, which keeps a week of them."""
    import psycopg

    from store.database.connections import connect
    from store.workers.status_rows import KEPT, list_processes
    from vigil.values.clock import utc_now

    try:
        with connect(settings, autocommit=True) as connection:
            lines = list_processes(connection, utc_now() - KEPT)
    except (VigilError, psycopg.errors.UndefinedTable):
        return {}  # reported by the database's own check
    return {line.service: line.time for line in reversed(lines)}


def judged(
    reports: Sequence[LastStatus], last_seen: Mapping[str, datetime], now: datetime
) -> Iterator[Finding]:
    """Yield the findings of the processes' newest reports.

    Args:
        reports: of each process, the read_statuses first.
        last_seen: service → its newest report in the database, which may be older.
    """
    by_service: dict[str, list[LastStatus]] = defaultdict(list)
    for each in reports:
        by_service[each.status.service].append(each)
    running = [each for each in reports if _is_running(each, now)]
    if not running and all(each.status.ended for each in reports):
        last = "none was seen within a week"
        if reports or last_seen:
            moment = reports[0].received_at if reports else max(last_seen.values())
            last = f"one was last seen {format_age(moment, now)}"
        yield Finding("workers", "note", f"none runs; {last}", how_to_fix="vigil up")
        return
    for service in sorted({*SERVICES, *by_service}):
        yield from _service(service, by_service[service], last_seen=last_seen.get(service), now=now)
    yield from _texts(running)


def _is_running(report: LastStatus, now: datetime) -> bool:
    return not report.status.ended and now - report.received_at < SILENT


def _service(
    service: str, reports: Sequence[LastStatus], *, last_seen: datetime | None, now: datetime
) -> Iterator[Finding]:
    running = [each for each in reports if _is_running(each, now)]
    for each in running:
        yield _process(each, now)
    if not running:
        what = f"no process runs; {_describe_last(reports, last_seen, now)}"
        yield Finding(service, "wrong", what, how_to_fix=f"vigil run {service}")
        return
    for each in reports:
        if each not in running and not each.status.ended and now - each.received_at < RECENT:
            yield Finding(
                service,
                "note",
                f"{_name(each)} was last seen {format_age(each.received_at, now)}: it died, and"
                " others do its work",
                how_to_fix="See the log of that process.",
            )


def _describe_last(reports: Sequence[LastStatus], last_seen: datetime | None, now: datetime) -> str:
    """What is known of a service's last process."""
    if reports:
        read_statuses = reports[0]
        seen = "stopped" if read_statuses.status.ended else "was last seen"
        return f"{_name(read_statuses)} {seen} {format_age(read_statuses.received_at, now)}"
    if last_seen is None:
        return "none was seen within a week"
    return f"none was seen since {format_age(last_seen, now)}"


def _process(report: LastStatus, now: datetime) -> Finding:
    status = report.status
    seen = f"{_name(report)}, last seen {format_age(report.received_at, now)}"
    if not status.trouble:
        lag = status.gauges.get("lag_messages")
        waiting = f"; {lag:.0f} messages wait" if lag else ""
        return Finding(status.service, "ok", f"working{waiting} ({seen})")
    troubles = "; ".join(
        f"{part}: {what.rstrip('.')}, since {format_age(status.since.get(part, status.time), now)}"
        for part, what in sorted(
            status.trouble.items(), key=lambda pair: (pair[0] in ADVISORY, pair)
        )
    )
    state: State = "note" if is_ready(status.trouble) else "wrong"
    return Finding(
        status.service, state, f"{troubles} ({seen})", how_to_fix=_how_to_fix(status.trouble)
    )


def _how_to_fix(trouble: dict[str, str]) -> str:
    if "stuck" in trouble or "transaction" in trouble:
        return "See “Where messages stand still” in docs/operations.md."
    return ""


def _name(report: LastStatus) -> str:
    return f"instance {report.status.instance[:8]}"


def _texts(running: Sequence[LastStatus]) -> Iterator[Finding]:
    from explain.language_model.reasons import counted_failures
    from store.workers.status_rows import sum_counters

    total = sum_counters(each.status for each in running)
    for _, meaning, times in counted_failures(total):
        yield Finding("texts", "note", f"{times} times without the model: {meaning}")
    if refused := total["rewordings_refused"]:
        yield Finding("texts", "note", f"{refused} sentences of the model were refused")
