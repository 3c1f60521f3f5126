"""Signing in and out: plain forms, which work without a script."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Cookie, Form, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.auth import known_browser
from dashboard.auth.attempts import network_of
from dashboard.auth.guard import database_unavailable
from dashboard.auth.session_lookup import cookie_name
from dashboard.auth.signin import (
    HOME,
    SignedIn,
    SignIn,
    SignInAttempt,
    SignInRefused,
    safe_next,
    valid_user_id,
)
from dashboard.shell.cookies import delete_cookie, set_cookie
from dashboard.shell.templating import render_page
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.auth.session_lookup import SessionLookup
    from dashboard.shell.context import WebContext

LOGIN_COOKIE = "vigil_login"
"""Holds the form's token, so that no other site can sign a person in."""
EXPIRED = "This page was open for too long. Please try again."
Field = Annotated[str, Form(max_length=1024)]


def routes(context: WebContext, sessions: SessionLookup) -> APIRouter:
    """``/login`` and ``/logout``."""
    return SignInPages(context, sessions).router()


class SignInPages:
    """The form, signing in, and signing out."""

    def __init__(self, context: WebContext, sessions: SessionLookup):
        self._settings, self._sessions, self._sign_in = context.settings, sessions, SignIn(context)
        self._demo = context.settings.demo
        self._session_cookie = cookie_name(context.settings)

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/login", self.show_login, methods=["GET"])
        router.add_api_route("/login", self.take_login, methods=["POST"])
        router.add_api_route("/logout", self.sign_out, methods=["POST"])
        return router

    async def show_login(self, request: Request, next: str = HOME) -> Response:  # noqa: A002
        """The form; a redirect where somebody is signed in."""
        try:
            session = await self._sessions.session(request.cookies.get(self._session_cookie))
        except UnavailableError:
            return database_unavailable(self._demo)
        if session is not None:
            return RedirectResponse(safe_next(next), 303)
        return self._form("", 200, next_path=next)

    async def take_login(
        self,
        request: Request,
        user: Field = "",
        password: Field = "",
        csrf: Field = "",
        next: Field = HOME,  # noqa: A002
        vigil_login: Annotated[str, Cookie()] = "",
    ) -> Response:
        """Sign in, or show the form again with the reason."""
        if not vigil_login or not compare_digest(vigil_login.encode(), csrf.encode()):
            return self._form(EXPIRED, 400, user=user, next_path=next)
        try:
            result = await self._sign_in.attempt(self._attempt(request, user, password))
        except UnavailableError:
            return database_unavailable(self._demo)
        if isinstance(result, SignInRefused):
            response = self._form(result.message, result.status, user=user, next_path=next)
            if result.retry_after:
                response.headers["Retry-After"] = str(result.retry_after)
            return response
        response = RedirectResponse(safe_next(next), 303)
        set_cookie(
            response,
            self._settings,
            name=self._session_cookie,
            value=result.token,
            same_site="lax",
        )
        self._remember_browser(response, result)
        delete_cookie(response, self._settings, LOGIN_COOKIE)
        return response

    def _attempt(self, request: Request, user: str, password: str) -> SignInAttempt:
        name = known_browser.cookie_name(
            user.strip().lower(), secure=self._settings.served_over_https
        )
        return SignInAttempt(
            user_id=user,
            password=password,
            network=network_of(request.client.host if request.client else ""),
            browser=request.cookies.get(name, ""),
        )

    def _remember_browser(self, response: Response, signed_in: SignedIn) -> None:
        set_cookie(
            response,
            self._settings,
            name=known_browser.cookie_name(
                signed_in.user_id, secure=self._settings.served_over_https
            ),
            value=signed_in.browser,
            same_site="strict",
            path=known_browser.PATH,
            max_age=known_browser.KEPT_SECONDS,
        )

    async def sign_out(self, request: Request, csrf: Field = "") -> Response:
        """End the session; only with the token of a page of this session."""
        response = RedirectResponse("/login", 303)
        try:
            session = await self._sessions.session(request.cookies.get(self._session_cookie))
            if session is not None:
                if not compare_digest(session.csrf.encode(), csrf.encode()):
                    return self._not_signed_out()
                await self._sessions.end(session)
        except UnavailableError:
            return database_unavailable(self._demo)
        delete_cookie(response, self._settings, self._session_cookie)
        return response

    def _form(
        self, message: str, status: int, *, user: str = "", next_path: str = HOME
    ) -> Response:
        token = secrets.token_urlsafe(24)
        response = render_page(
            "auth/login.html",
            status,
            demo=self._demo,
            message=message,
            csrf=token,
            user=user if valid_user_id(user.strip().lower()) else "",  # not a password typed there
            next=safe_next(next_path),
        )
        set_cookie(response, self._settings, name=LOGIN_COOKIE, value=token, same_site="strict")
        return response

    def _not_signed_out(self) -> Response:
        return render_page(
            "shell/message.html",
            400,
            demo=self._demo,
            heading="Not signed out",
            lines=[EXPIRED],
            link=HOME,
            link_text="Back to the board",
            again_in=0,
            severe=False,
        )
