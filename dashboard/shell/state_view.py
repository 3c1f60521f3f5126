"""The state of the workers as it is sent to every open page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.shell.templating import worker_state_html

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext


@dataclass(frozen=True, slots=True)
class WorkerStateView:
    """The state of the workers in a message."""

    html: str
    """Sentences for the head of the page; empty: everything works."""
    judged: bool
    """Whether "no active alert" is known to be true."""


def worker_state_view(context: WebContext) -> WorkerStateView:
    """The present state."""
    overview = context.monitor.overview()
    return WorkerStateView(worker_state_html(overview), overview.judged)
