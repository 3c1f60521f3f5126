"""Renders the patient's pages: escaped, with the headers that keep them private."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from babel.dates import format_date
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboard.phone.words import EN, Words, text_direction
from vigil.domain.ids import timestamp

if TYPE_CHECKING:
    from vigil.service.settings import Settings

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"

HEADERS: MappingProxyType[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        # not no-referrer: with that, browsers hide the origin of our own forms
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
    }
)


@dataclass(frozen=True, slots=True)
class PageLink:
    """A link to a page."""

    address: str
    caption: str


@cache
def environment() -> Environment:
    """The templates, compiled once a process."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["machine"] = timestamp
    made.filters["person"] = format_time
    made.filters["direction"] = text_direction
    return made


def format_time(time: datetime, locale: str) -> str:
    """A time in UTC, shown until the browser writes it in the reader's time zone.

    >>> format_time(datetime(2026, 11, 21, 6, 2, tzinfo=UTC), "es")
    '21 nov 2026, 06:02 UTC'
    """
    moment = time.astimezone(UTC)
    day = format_date(moment.date(), locale="en_GB" if locale == EN.locale else locale)
    return f"{day}, {moment:%H:%M} UTC"


def render_page(
    template: str, settings: Settings, status: int = 200, *, words: Words = EN, **values: Any
) -> HTMLResponse:
    """Render a template as a response."""
    html = environment().get_template(template).render(w=words, demo=settings.demo, **values)
    return HTMLResponse(html, status, dict(HEADERS))


def render_notice(
    settings: Settings,
    status: int,
    *,
    title: str,
    lines: Sequence[str],
    words: Words,
    link: PageLink | None = None,
    paste: bool = False,
    urgent: bool = False,
) -> HTMLResponse:
    """Render a page with one message.

    Args:
        lines: its paragraphs.
        link: where to go next.
        paste: whether to offer a field for an enrolment link.
    """
    return render_page(
        "notice.html",
        settings,
        status,
        words=words,
        title=title,
        lines=lines,
        link=link,
        paste=paste,
        urgent=urgent,
    )
