"""The pages for requests that are refused before any route is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.phone.door import spoken_by
from dashboard.phone.pages import notice
from dashboard.phone.routing import PREFIX as PHONE
from dashboard.shell.templating import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request
    from fastapi.responses import Response

    from vigil.service.settings import Settings
    from vigil.web.refusal import Refusal

BUSY = "Vigil is busy"
NOT_TAKEN = "This was not taken"


def pages(settings: Settings) -> Callable[[Request, Refusal], Response]:
    """What :func:`vigil.web.refusal.respond` asks for a page."""

    def refused(request: Request, refusal: Refusal) -> Response:
        path = request.scope["path"]
        if path == PHONE or path.startswith(f"{PHONE}/"):
            return _to_a_patient(request, refusal, settings)
        return page(
            "message.html",
            refusal.status,
            demo=settings.demo,
            heading=BUSY if refusal.retry_after else NOT_TAKEN,
            lines=[refusal.sentence()],
            link="/board/",
            link_text="To the board",
            again_in=0,
            severe=False,
        )

    return refused


def _to_a_patient(request: Request, refusal: Refusal, settings: Settings) -> Response:
    """In the patient's words, which say what to do and not what was wrong with the request."""
    w = spoken_by(request)
    if refusal.retry_after:
        return notice(
            settings,
            refusal.status,
            w.away_title,
            w.away,
            w.emergency,
            link=(PHONE, w.try_again),
            words=w,
            urgent=True,
        )
    return notice(
        settings, refusal.status, w.refused_title, w.refused, link=(PHONE, w.to_messages), words=w
    )
