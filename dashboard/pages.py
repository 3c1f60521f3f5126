"""Signing in and out: plain forms, which work without a script."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Cookie, Form, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.door import cookie_name, secure
from dashboard.guard import database_away
from dashboard.passwords import Checker
from dashboard.signin import HOME, Refused, safe_next, sign_in
from dashboard.templating import page
from vigil.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.context import WebContext
    from dashboard.door import Door

LOGIN_COOKIE = "vigil_login"
"""Holds the form's token, so that no other site can sign a person in."""
EXPIRED = "This page was open for too long. Please try again."
Field = Annotated[str, Form(max_length=1024)]


def _cookie(response: Response, name: str, value: str, *, safe: bool, strict: bool) -> None:
    response.set_cookie(
        name, value, path="/", httponly=True, secure=safe, samesite="strict" if strict else "lax"
    )


def routes(context: WebContext, door: Door) -> APIRouter:
    """``/login`` and ``/logout``."""
    router = APIRouter(include_in_schema=False)
    settings, checker = context.settings, Checker()
    safe, session_cookie = secure(settings), cookie_name(settings)

    def form(message: str, status: int, user: str = "", wanted: str = HOME) -> Response:
        token = secrets.token_urlsafe(24)
        response = page(
            "login.html", status, demo=settings.demo, message=message, csrf=token, user=user,
            next=safe_next(wanted),
        )  # fmt: skip
        _cookie(response, LOGIN_COOKIE, token, safe=safe, strict=True)
        return response

    @router.get("/login")
    async def show_login(request: Request, next: str = HOME) -> Response:  # noqa: A002
        try:
            session = await door.session(request.cookies.get(session_cookie))
        except UnavailableError:
            return database_away(settings.demo)
        if session is not None:
            return RedirectResponse(safe_next(next), 303)
        return form("", 200, wanted=next)

    @router.post("/login")
    async def take_login(
        user: Field = "",
        password: Field = "",
        csrf: Field = "",
        next: Field = HOME,  # noqa: A002
        vigil_login: Annotated[str, Cookie()] = "",
    ) -> Response:
        if not vigil_login or not compare_digest(vigil_login.encode(), csrf.encode()):
            return form(EXPIRED, 400, user, next)
        try:
            result = await sign_in(context, checker, user, password)
        except UnavailableError:
            return database_away(settings.demo)
        if isinstance(result, Refused):
            return form(result.message, result.status, user, next)
        response = RedirectResponse(safe_next(next), 303)
        _cookie(response, session_cookie, result.token, safe=safe, strict=False)
        response.delete_cookie(LOGIN_COOKIE, path="/")
        return response

    @router.post("/logout")
    async def sign_out(request: Request, csrf: Field = "") -> Response:
        response = RedirectResponse("/login", 303)
        try:
            session = await door.session(request.cookies.get(session_cookie))
            if session is not None:
                if not compare_digest(session.csrf.encode(), csrf.encode()):
                    return page(
                        "message.html", 400, demo=settings.demo, heading="Not signed out",
                        lines=[EXPIRED], link=HOME, link_text="Back to the board", again_in=0,
                        severe=False,
                    )  # fmt: skip
                await door.end(session)
        except UnavailableError:
            return database_away(settings.demo)
        response.delete_cookie(session_cookie, path="/", secure=safe, httponly=True)
        return response

    return router
