"""The pages for requests that are refused before any route is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.phone.routing import PREFIX as PHONE
from dashboard.phone.routing import refused_page, unavailable_page
from dashboard.shell.templating import render_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request
    from fastapi.responses import Response

    from vigil.service.settings import Settings
    from vigil.web.refusal import Refusal

BUSY = "Vigil is busy"
REFUSED = "This request was refused"


def refusal_pages(settings: Settings) -> Callable[[Request, Refusal], Response]:
    """The function with which :func:`vigil.web.refusal.respond` renders a page.

    Patients get a page in plain words, without the reason.
    """

    def refused(request: Request, refusal: Refusal) -> Response:
        path = request.scope["path"]
        if path == PHONE or path.startswith(f"{PHONE}/"):
            if refusal.retry_after:
                return unavailable_page(settings, request, refusal.status)
            return refused_page(settings, request, refusal.status)
        return render_page(
            "shell/message.html",
            refusal.status,
            demo=settings.demo,
            heading=BUSY if refusal.retry_after else REFUSED,
            lines=[refusal.sentence()],
            link="/board/",
            link_text="To the board",
            again_in=0,
            severe=False,
        )

    return refused
