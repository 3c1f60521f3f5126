"""``/board/system``: which workers run, what troubles them, and how alerts get their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fastapi import APIRouter
from fastapi.responses import Response

from dashboard.door import SESSION
from dashboard.guard import administrators_only, database_away
from dashboard.templating import page
from explain import model_reasons
from explain.reviewing import REASONS as REFUSALS
from store import status_rows
from store.bounds import LARGEST_NUMBER
from store.status_rows import SILENT
from vigil import isolation
from vigil.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.context import WebContext
    from store.status_rows import Line

EXPECTED = ("detectors", "explain", "store", "notify")
"""Every worker without which something that people rely on stands still."""


class Process(NamedTuple):
    """One worker's process, to be shown."""

    line: Line
    running: bool
    troubles: tuple[str, ...]

    @property
    def state(self) -> str:
        """In one or two words."""
        if not self.running:
            return "not heard of"
        return "in trouble" if self.troubles else "working"


class Words(NamedTuple):
    """How alerts got their words, summed over the processes that run."""

    alerts: int
    sources: list[tuple[str, int]]
    """What told alerts → how often."""
    model: str
    """Whether a model answers now."""
    fallbacks: list[tuple[str, str, int]]
    """Counter, its meaning, and how often: why no better wording came."""


def processes(lines: Iterable[Line], now: datetime) -> list[Process]:
    """Every process that runs; of a service of which none does, the last that did."""
    shown: list[Process] = []
    for line in lines:  # of a service the newest word comes first
        alive = now - line.time < SILENT
        if not alive and any(process.line.service == line.service for process in shown):
            continue
        process = isolation.attempt(
            "process", line.service, partial(_process, line, alive), lambda: None
        )
        if process is not None:
            shown.append(process)
    return shown


def _process(line: Line, alive: bool) -> Process:
    troubles = tuple(f"{part}: {what}" for part, what in sorted(line.trouble.items()))
    figures = [*line.counters.values(), *line.gauges.values()]
    if not all(-LARGEST_NUMBER <= figure <= LARGEST_NUMBER for figure in figures):
        raise ValueError("a figure that cannot be")
    return Process(line, alive, troubles)


def missing(shown: Iterable[Process]) -> list[str]:
    """The expected services of which no process runs."""
    running = {process.line.service for process in shown if process.running}
    return [service for service in EXPECTED if service not in running]


def words(shown: Iterable[Process]) -> Words | None:
    """How alerts get their words; None where no such worker runs."""
    lines = [p.line for p in shown if p.running and p.line.service == "explain"]
    if not lines:
        return None
    counted = status_rows.summed(lines)
    ready = [line.gauges.get("model_ready") for line in lines]
    model = "not in use"
    if any(value is not None for value in ready):
        model = "answers" if any(ready) else "does not answer"
    told = (
        ("told by the phrasebook", "phrases_hit"),
        ("told by the tables, with no phrase to show", "phrases_missed"),
        ("reworded by the model afterwards", "rewordings_published"),
    )
    return Words(
        counted["alerts"],
        [(what, counted[name]) for what, name in told],
        model,
        [*model_reasons.counted(counted), *_refusals(counted)],
    )


def _refusals(counted: Counter[str]) -> list[tuple[str, str, int]]:
    """What the verifier refused of the model's sentences, and what was let go."""
    others = {
        "rewordings_dropped": "Too many alerts waited for the model; the oldest was let go.",
        "rewordings_late": "The alert had waited too long for the model.",
        "rewordings_unsent": "The broker was away when the rewording was ready.",
    }
    found = [(name, meaning, counted[name]) for name, meaning in others.items() if counted[name]]
    prefix = "rewordings_refused_"
    for name in sorted(name for name in counted if name.startswith(prefix)):
        meaning = REFUSALS.get(name.removeprefix(prefix), "The verifier refused the sentence.")
        found.append((name, meaning, counted[name]))
    return found


def routes(context: WebContext) -> APIRouter:
    """The administrators' view of what runs."""
    router = APIRouter(include_in_schema=False)
    demo = context.settings.demo

    @router.get("/board/system")
    async def show_system() -> Response:
        session = SESSION.get()
        if session.role != "admin":
            return administrators_only(demo)
        now = context.clock()
        try:
            async with context.database() as connection:
                lines: Sequence[Line] = await status_rows.newest(connection, now)
        except UnavailableError:
            return database_away(demo)
        shown = processes(lines, now)
        return page(
            "system.html", demo=demo, session=session, here="system", now=now,
            processes=shown, missing=missing(shown), words=words(shown),
            unshown=isolation.counts(),
        )  # fmt: skip

    return router
