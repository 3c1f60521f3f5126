"""``/board/system``: which workers run, what troubles them, and how alerts get their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fastapi import APIRouter
from fastapi.responses import Response

from dashboard.auth.door import SESSION
from dashboard.auth.guard import administrators_only
from dashboard.shell.templating import page
from dashboard.worker_state import overview as worker_states
from explain.language_model import reasons as model_reasons
from explain.phrasebook.reviewing import REASONS as REFUSALS
from store.workers import status_rows
from store.writing.bounds import LARGEST_NUMBER
from vigil.service import isolation

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from vigil.domain.status import Status

EXPECTED = worker_states.SERVICES


class Process(NamedTuple):
    """One worker's process, to be shown."""

    status: Status
    """Its last."""
    heard_at: datetime
    running: bool
    troubles: tuple[str, ...]

    @property
    def state(self) -> str:
        """In one or two words."""
        if not self.running:
            return "stopped" if self.status.ended else "not heard of"
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


def processes(heard: Iterable[tuple[worker_states.Process, bool]]) -> list[Process]:
    """Every process that runs; of a service of which none does, the last that did.

    Args:
        heard: by service, the newest first, and whether it runs
            (:meth:`dashboard.worker_state.overview.WorkerStates.processes`).
    """
    shown: list[Process] = []
    for process, running in heard:
        status = process.status
        if not running and any(each.status.service == status.service for each in shown):
            continue
        made = isolation.attempt(
            "process", status.service, partial(_process, process, running), lambda: None
        )
        if made is not None:
            shown.append(made)
    return shown


def _process(heard: worker_states.Process, running: bool) -> Process:
    status = heard.status
    troubles = tuple(f"{part}: {what}" for part, what in sorted(status.trouble.items()))
    figures = [*status.counters.values(), *status.gauges.values()]
    if not all(-LARGEST_NUMBER <= figure <= LARGEST_NUMBER for figure in figures):
        raise ValueError("a figure that cannot be")
    return Process(status, heard.heard_at, running, troubles)


def missing(shown: Iterable[Process]) -> list[str]:
    """The expected services of which no process runs."""
    running = {process.status.service for process in shown if process.running}
    return [service for service in EXPECTED if service not in running]


def words(shown: Iterable[Process]) -> Words | None:
    """How alerts get their words; None where no such worker runs."""
    told = [p.status for p in shown if p.running and p.status.service == "explain"]
    if not told:
        return None
    counted = status_rows.sum_counters(told)
    ready = [status.gauges.get("model_ready") for status in told]
    model = "not in use"
    if any(value is not None for value in ready):
        model = "answers" if any(ready) else "does not answer"
    sources = (
        ("told by the phrasebook", "phrases_hit"),
        ("told by the tables, with no phrase to show", "phrases_missed"),
        ("reworded by the model afterwards", "rewordings_published"),
    )
    return Words(
        counted["alerts"],
        [(what, counted[name]) for what, name in sources],
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
        shown = processes(context.monitor.states.processes())
        return page(
            "system.html",
            demo=demo,
            session=session,
            here="system",
            now=context.clock(),
            processes=shown,
            missing=missing(shown),
            words=words(shown),
            unshown=isolation.counts(),
        )

    return router
