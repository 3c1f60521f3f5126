"""The workers' state as every open page is sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dashboard.shell.templating import head_of

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext


class State(NamedTuple):
    """What a message says of the workers."""

    html: str
    """Sentences for the head of the page; empty: everything works."""
    judged: bool
    """Whether "no active alert" can be said."""


def state(context: WebContext) -> State:
    """How things are."""
    overview = context.monitor.overview()
    return State(head_of(overview), overview.judged)
