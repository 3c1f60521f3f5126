"""Turns errors in a route of the patient's pages into a page."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from dashboard.phone.access import RefusedError, requested_words
from dashboard.phone.pages import PageLink, render_notice
from vigil.service import logs
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from vigil.service.settings import Settings

log = logs.get("phone")
PREFIX = "/phone"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def phone_router(settings: Settings) -> APIRouter:
    """A router whose routes answer errors as HTML or JSON, as requested."""

    class PhoneRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            inner = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await inner(request)
                except UnavailableError as error:
                    log.warning("page unavailable", code=error.code)
                    return _unavailable(settings, request)
                except RefusedError as error:
                    return _refused(settings, request, error.status)

            return handle

    return APIRouter(prefix=PREFIX, route_class=PhoneRoute, include_in_schema=False)


def _for_script(request: Request) -> bool:
    return "text/html" not in request.headers.get("accept", "")


def _unavailable(settings: Settings, request: Request) -> Response:
    if _for_script(request):
        return JSONResponse({"error": "unavailable"}, 503)
    return unavailable_page(settings, request)


def _refused(settings: Settings, request: Request, status: int) -> Response:
    if _for_script(request):
        return JSONResponse({"error": "refused"}, status)
    return refused_page(settings, request, status)


def unavailable_page(settings: Settings, request: Request, status: int = 503) -> Response:
    """The page while Vigil cannot answer."""
    w = requested_words(request)
    return render_notice(
        settings,
        status,
        title=w.unavailable_title,
        lines=[w.unavailable, w.emergency],
        words=w,
        link=PageLink(PREFIX, w.try_again),
        urgent=True,
    )


def refused_page(settings: Settings, request: Request, status: int) -> Response:
    """The page for a refused request."""
    w = requested_words(request)
    return render_notice(
        settings,
        status,
        title=w.refused_title,
        lines=[w.refused],
        words=w,
        link=PageLink(PREFIX, w.to_messages),
    )
