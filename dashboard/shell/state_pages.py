"""``/state``: the state of the workers for the head of pages that are not live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from dashboard.shell import state_view, wording

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def routes(context: WebContext) -> APIRouter:
    """The sentences, which the sign-in shows to everybody; needs neither session nor database."""
    router = APIRouter(include_in_schema=False)

    @router.get("/state")
    async def get_state() -> Response:
        """The sentences as HTML, and the time at which they hold: in UTC, and for a script."""
        now = context.clock()
        body = {
            "html": state_view.worker_state_view(context).html,
            "at": wording.format_clock(now),
            "time": wording.machine_time(now),
        }
        return JSONResponse(body, headers=HEADERS)

    return router
