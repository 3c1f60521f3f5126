"""Turns what goes wrong in a route of the patient's pages into a page that says so."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from dashboard.phone.door import RefusedError, spoken_by
from dashboard.phone.pages import notice
from vigil.service import logs
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from vigil.service.settings import Settings

log = logs.get("phone")
PREFIX = "/phone"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def router(settings: Settings) -> APIRouter:
    """A router whose routes answer errors in the form that was asked for."""

    class PhoneRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            inner = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await inner(request)
                except UnavailableError as error:
                    log.warning("not now", code=error.code)
                    return _away(settings, request)
                except RefusedError as error:
                    return _refused(settings, request, error.status)

            return handle

    return APIRouter(prefix=PREFIX, route_class=PhoneRoute, include_in_schema=False)


def _for_script(request: Request) -> bool:
    return "text/html" not in request.headers.get("accept", "")


def _away(settings: Settings, request: Request) -> Response:
    if _for_script(request):
        return JSONResponse({"error": "unavailable"}, 503)
    w = spoken_by(request)
    return notice(
        settings,
        503,
        w.away_title,
        w.away,
        w.emergency,
        link=(PREFIX, w.try_again),
        words=w,
        urgent=True,
    )


def _refused(settings: Settings, request: Request, status: int) -> Response:
    if _for_script(request):
        return JSONResponse({"error": "refused"}, status)
    w = spoken_by(request)
    return notice(
        settings, status, w.refused_title, w.refused, link=(PREFIX, w.to_messages), words=w
    )
