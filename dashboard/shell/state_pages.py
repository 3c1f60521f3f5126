"""``/state``: what the head of a page says of the workers, for pages that are not live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from dashboard.shell import state_view, wording

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def routes(context: WebContext) -> APIRouter:
    """The sentences, as the sign-in shows them to everybody; neither session nor database is
    asked."""
    router = APIRouter(include_in_schema=False)

    @router.get("/state")
    async def tell() -> Response:
        """They, and the moment at which they hold."""
        told = {"html": state_view.state(context).html, "at": wording.clock(context.clock())}
        return JSONResponse(told, headers=HEADERS)

    return router
