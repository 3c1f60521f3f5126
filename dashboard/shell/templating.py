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
from dashboard.worker_state.words import Notice, head_notices
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
"""The headers of every page. The board's policy, which allows Dash's scripts, is in
:mod:`dashboard.shell.dash_shell`."""


def _worker_state() -> Any:
    """The sentences of the head; none on a page that refuses a request before the guard."""
    monitor = MONITOR.get(None)
    return "" if monitor is None else worker_state_html(monitor.overview())


def _judged() -> bool:
    monitor = MONITOR.get(None)
    return monitor is not None and monitor.overview().judged


@cache
def environment() -> Environment:
    """The templates of ``templates/<room>/``, compiled once a process."""
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
    made.filters["moment"] = wording.machine_time
    made.filters["clock"] = wording.format_clock
    made.filters["bdi"] = bidi.element
    made.filters["isolated"] = bidi.isolated
    return made


def render(template: str, **values: Any) -> str:
    """Render a template as text."""
    return environment().get_template(template).render(values)


@lru_cache(maxsize=64)
def _notices_html(shown: tuple[Notice, ...]) -> Markup:
    return Markup(render("shell/state.html", notices=shown).strip())  # noqa: S704  (it escapes)


def worker_state_html(overview: Overview) -> Markup:
    """The state of the workers for the head of a page; empty: everything works."""
    return _notices_html(head_notices(overview))


def render_page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template as a response with the headers of a page."""
    return HTMLResponse(render(template, **values), status, dict(HEADERS))
