"""HTML from templates: every value is escaped, and every page has the same headers."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboard.shell import wording
from dashboard.shell.roles import REVIEWERS
from dashboard.worker_state.monitor import MONITOR
from dashboard.worker_state.words import Notice, notices
from vigil.values import bidi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboard.worker_state.overview import Overview

TEMPLATES = Path(__file__).parents[1] / "templates"
STATIC = Path(__file__).parents[1] / "static"
INTENDED_USE = (
    "Vigil supports trained staff. It is not a diagnosis and never the sole alarm: "
    "look at the patient."
)

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
        "img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every page. The board's own policy, which lets Dash's scripts run, is in
:mod:`dashboard.shell.dash_shell`."""


def _worker_state() -> Any:
    """The head; none on a page that refuses a request before anybody's page was asked for."""
    monitor = MONITOR.get(None)
    return "" if monitor is None else head_of(monitor.overview())


def _judged() -> bool:
    monitor = MONITOR.get(None)
    return monitor is not None and monitor.overview().judged


@cache
def environment() -> Environment:
    """The templates, compiled once a process."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["intended_use"] = INTENDED_USE
    made.globals["reviewers"] = REVIEWERS
    made.globals["worker_state"] = _worker_state
    made.globals["judged"] = _judged
    made.filters["path"] = lambda text: quote(str(text), safe="")
    made.filters["moment"] = wording.moment
    made.filters["clock"] = wording.clock
    made.filters["bdi"] = bidi.element
    made.filters["isolated"] = bidi.isolated
    return made


def render(template: str, **values: Any) -> str:
    """A template as text."""
    return environment().get_template(template).render(values)


@lru_cache(maxsize=64)
def _drawn(said: tuple[Notice, ...]) -> Markup:
    return Markup(render("shell/state.html", notices=said).strip())  # noqa: S704  (it escapes)


def head_of(overview: Overview) -> Markup:
    """What the head of a page says of the workers; empty: everything works."""
    return _drawn(notices(overview))


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template as a response, with the headers of a page."""
    return HTMLResponse(render(template, **values), status, dict(HEADERS))
