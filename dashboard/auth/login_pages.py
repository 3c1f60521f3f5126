"""Signing in and out: plain forms, which work without a script."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Cookie, Form, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.auth import known_browser
from dashboard.auth.attempts import source
from dashboard.auth.door import cookie_name
from dashboard.auth.guard import database_away
from dashboard.auth.signin import HOME, Asked, Refused, SignedIn, SignIn, safe_next, valid_user_id
from dashboard.shell.templating import page
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.auth.door import Door
    from dashboard.shell.context import WebContext

LOGIN_COOKIE = "vigil_login"
"""Holds the form's token, so that no other site can sign a person in."""
EXPIRED = "This page was open for too long. Please try again."
Field = Annotated[str, Form(max_length=1024)]


def routes(context: WebContext, door: Door) -> APIRouter:
    """``/login`` and ``/logout``."""
    return SignInPages(context, door).router()


class SignInPages:
    """The form, what it takes, and the way out."""

    def __init__(self, context: WebContext, door: Door):
        self._context, self._door, self._sign_in = context, door, SignIn(context)
        self._demo = context.settings.demo
        self._safe = context.settings.served_over_https
        self._session_cookie = cookie_name(context.settings)

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/login", self.show_login, methods=["GET"])
        router.add_api_route("/login", self.take_login, methods=["POST"])
        router.add_api_route("/logout", self.sign_out, methods=["POST"])
        return router

    async def show_login(self, request: Request, next: str = HOME) -> Response:  # noqa: A002
        """The form, or straight on where someone is signed in."""
        try:
            session = await self._door.session(request.cookies.get(self._session_cookie))
        except UnavailableError:
            return database_away(self._demo)
        if session is not None:
            return RedirectResponse(safe_next(next), 303)
        return self._form("", 200, wanted=next)

    async def take_login(
        self,
        request: Request,
        user: Field = "",
        password: Field = "",
        csrf: Field = "",
        next: Field = HOME,  # noqa: A002
        vigil_login: Annotated[str, Cookie()] = "",
    ) -> Response:
        """Sign in, or the form again with what was wrong."""
        if not vigil_login or not compare_digest(vigil_login.encode(), csrf.encode()):
            return self._form(EXPIRED, 400, user, next)
        try:
            result = await self._sign_in.attempt(self._asked(request, user, password))
        except UnavailableError:
            return database_away(self._demo)
        if isinstance(result, Refused):
            response = self._form(result.message, result.status, user, next)
            if result.retry_after:
                response.headers["Retry-After"] = str(result.retry_after)
            return response
        response = RedirectResponse(safe_next(next), 303)
        self._set(response, self._session_cookie, result.token, "lax")
        self._know(response, result)
        response.delete_cookie(LOGIN_COOKIE, path="/")
        return response

    def _asked(self, request: Request, user: str, password: str) -> Asked:
        name = known_browser.cookie_name(user.strip().lower(), secure=self._safe)
        place = source(request.client.host if request.client else "")
        return Asked(user, password, place, request.cookies.get(name, ""))

    def _know(self, response: Response, signed_in: SignedIn) -> None:
        response.set_cookie(
            known_browser.cookie_name(signed_in.user_id, secure=self._safe),
            signed_in.browser,
            max_age=known_browser.KEPT_SECONDS,
            path=known_browser.PATH,
            httponly=True,
            secure=self._safe,
            samesite="strict",
        )

    async def sign_out(self, request: Request, csrf: Field = "") -> Response:
        """End the session; only for the page that was made for it."""
        response = RedirectResponse("/login", 303)
        try:
            session = await self._door.session(request.cookies.get(self._session_cookie))
            if session is not None:
                if not compare_digest(session.csrf.encode(), csrf.encode()):
                    return self._not_signed_out()
                await self._door.end(session)
        except UnavailableError:
            return database_away(self._demo)
        response.delete_cookie(self._session_cookie, path="/", secure=self._safe, httponly=True)
        return response

    def _form(self, message: str, status: int, user: str = "", wanted: str = HOME) -> Response:
        token = secrets.token_urlsafe(24)
        response = page(
            "login.html",
            status,
            demo=self._demo,
            message=message,
            csrf=token,
            user=user if valid_user_id(user.strip().lower()) else "",  # not a password typed there
            next=safe_next(wanted),
        )
        self._set(response, LOGIN_COOKIE, token, "strict")
        return response

    def _not_signed_out(self) -> Response:
        return page(
            "message.html",
            400,
            demo=self._demo,
            heading="Not signed out",
            lines=[EXPIRED],
            link=HOME,
            link_text="Back to the board",
            again_in=0,
            severe=False,
        )

    def _set(
        self, response: Response, name: str, value: str, same_site: Literal["lax", "strict"]
    ) -> None:
        response.set_cookie(
            name, value, path="/", httponly=True, secure=self._safe, samesite=same_site
        )
