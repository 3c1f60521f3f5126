"""``/board/system``: which workers run, their troubles, and how alerts are worded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response

from dashboard.auth.guard import administrators_only
from dashboard.auth.session_lookup import SESSION
from dashboard.shell.templating import render_page
from dashboard.worker_state import overview as worker_states
from explain.language_model.reasons import counted_failures
from explain.phrasebook.reviewing import REFUSAL_REASONS as REFUSALS
from store.workers import status_rows
from store.writing.bounds import LARGEST_NUMBER
from vigil.service import isolation

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from vigil.domain.status import Status

EXPECTED = worker_states.SERVICES


@dataclass(frozen=True, slots=True)
class ShownProcess:
    """A worker's process as the page shows it."""

    status: Status
    """Its last one."""
    last_seen_at: datetime
    running: bool
    troubles: tuple[str, ...]

    @property
    def state(self) -> str:
        """In one or two words."""
        if not self.running:
            return "stopped" if self.status.ended else "no status"
        return "in trouble" if self.troubles else "working"


@dataclass(frozen=True, slots=True)
class WordingSource:
    """A source of alert texts, and how often it was used."""

    meaning: str
    times: int


@dataclass(frozen=True, slots=True)
class WordingFallback:
    """A reason why there was no better wording, and how often."""

    counter: str
    meaning: str
    times: int


@dataclass(frozen=True, slots=True)
class AlertWording:
    """How alerts were worded, summed over the processes that run."""

    alerts: int
    """Alert steps that were worded."""
    sources: list[WordingSource]
    model: str
    """Whether a language model answers now."""
    fallbacks: list[WordingFallback]


def list_processes(observed: Iterable[worker_states.ObservedProcess]) -> list[ShownProcess]:
    """Every process that runs; of a service without one, the last that did.

    Args:
        observed: by service, the newest status first
            (:meth:`dashboard.worker_state.overview.WorkerStates.processes`).
    """
    shown: list[ShownProcess] = []
    for one in observed:
        status = one.process.status
        if not one.running and any(each.status.service == status.service for each in shown):
            continue
        process = isolation.attempt(
            "process", status.service, make=partial(_process, one), otherwise=lambda: None
        )
        if process is not None:
            shown.append(process)
    return shown


def _process(observed: worker_states.ObservedProcess) -> ShownProcess:
    status = observed.process.status
    troubles = tuple(f"{part}: {what}" for part, what in sorted(status.trouble.items()))
    figures = [*status.counters.values(), *status.gauges.values()]
    if not all(-LARGEST_NUMBER <= figure <= LARGEST_NUMBER for figure in figures):
        raise ValueError("a counter or gauge is out of range")
    return ShownProcess(
        status=status,
        last_seen_at=observed.process.last_seen_at,
        running=observed.running,
        troubles=troubles,
    )


def missing_services(shown: Iterable[ShownProcess]) -> list[str]:
    """The expected services of which no process runs."""
    running = {process.status.service for process in shown if process.running}
    return [service for service in EXPECTED if service not in running]


def alert_wording(shown: Iterable[ShownProcess]) -> AlertWording | None:
    """How alerts are worded; None where no such worker runs."""
    running = [p.status for p in shown if p.running and p.status.service == "explain"]
    if not running:
        return None
    counted = status_rows.sum_counters(running)
    ready = [status.gauges.get("model_ready") for status in running]
    model = "not in use"
    if any(value is not None for value in ready):
        model = "answers" if any(ready) else "does not answer"
    sources = (
        ("worded by the phrasebook", "phrases_hit"),
        ("worded by the tables, without a phrase to show", "phrases_missed"),
        ("reworded by the model afterwards", "rewordings_published"),
    )
    model_failures = (WordingFallback(*one) for one in counted_failures(counted))
    return AlertWording(
        alerts=counted["alerts"],
        sources=[WordingSource(meaning, counted[name]) for meaning, name in sources],
        model=model,
        fallbacks=[*model_failures, *_refusals(counted)],
    )


def _refusals(counted: Counter[str]) -> list[WordingFallback]:
    """The model's sentences that the verifier refused, and those that were dropped."""
    others = {
        "rewordings_dropped": "Too many alerts waited for the model; the oldest was dropped.",
        "rewordings_late": "The alert had waited too long for the model.",
        "rewordings_unsent": "The broker was unavailable when the rewording was ready.",
    }
    found = [
        WordingFallback(name, meaning, counted[name])
        for name, meaning in others.items()
        if counted[name]
    ]
    prefix = "rewordings_refused_"
    for name in sorted(name for name in counted if name.startswith(prefix)):
        meaning = REFUSALS.get(name.removeprefix(prefix), "The verifier refused the sentence.")
        found.append(WordingFallback(name, meaning, counted[name]))
    return found


def routes(context: WebContext) -> APIRouter:
    """The route of the page."""
    router = APIRouter(include_in_schema=False)
    demo = context.settings.demo

    @router.get("/board/system")
    async def show_system() -> Response:
        session = SESSION.get()
        if session.role != "admin":
            return administrators_only(demo)
        shown = list_processes(context.monitor.states.processes())
        return render_page(
            "administration/system.html",
            demo=demo,
            session=session,
            here="system",
            now=context.clock(),
            processes=shown,
            missing=missing_services(shown),
            wording=alert_wording(shown),
            not_shown=isolation.counts(),
        )

    return router
