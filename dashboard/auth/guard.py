"""Requires a session for everything under ``/board/``: pages, Dash's addresses, its websocket.

One ASGI layer around everything, so that no route can be forgotten. A websocket is long-lived, so
the session is checked again for each message in either direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response

from dashboard.auth.session_lookup import SESSION, cookie_name, read_cookie
from dashboard.shell.templating import HEADERS, render_page
from dashboard.worker_state.monitor import MONITOR
from vigil.service.errors import UnavailableError
from vigil.web.refusal import host_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dashboard.auth.session_lookup import SessionLookup
    from dashboard.shell.context import WebContext

PREFIX = "/board"
PROBE_PATH = "/board/alive"
"""What a page that receives nothing asks."""
SIGNED_OUT = 4001
"""Websocket close code after which Dash's client does not reconnect."""
_SAFE = {"GET", "HEAD", "OPTIONS"}
_STATIC = ("text/css", "text/javascript", "application/javascript", "image/")
_INTERNAL = ("/board/_", PROBE_PATH, "/board/assets/")


def administrators_only(demo: bool) -> Response:
    """The page for a user whose role does not allow the request."""
    return render_page(
        "shell/message.html",
        403,
        demo=demo,
        heading="For administrators",
        lines=["Your role does not include this page."],
        link=PREFIX + "/",
        link_text="Back to the board",
        again_in=0,
        severe=False,
    )


def database_unavailable(demo: bool) -> Response:
    """The page while the database is unavailable."""
    return render_page(
        "shell/message.html",
        503,
        demo=demo,
        heading="Vigil cannot reach its database",
        lines=[
            "Nobody is being shown here now. Watch your patients directly.",
            "This page tries again by itself every 5 seconds.",
        ],
        link=PREFIX + "/",
        link_text="Try again",
        again_in=5,
        severe=True,
    )


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, context: WebContext, sessions: SessionLookup):
        self._app = app
        self._context = context
        self._sessions = sessions
        self._own_hosts = {urlsplit(context.settings.public_url).netloc}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, answer, or redirect to the sign-in."""
        path = scope.get("path", "")
        MONITOR.set(self._context.monitor)
        if scope["type"] not in {"http", "websocket"} or not _is_guarded(path):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send))
        else:
            await self._websocket(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, headers = scope["path"], Headers(scope=scope)
        page_wanted = scope["method"] in _SAFE and not path.startswith(_INTERNAL)
        if scope["method"] not in _SAFE and not self._same_origin(headers):
            answer: Response = JSONResponse({"error": "another site's request"}, 403)
            return await answer(scope, receive, send)
        token = read_cookie(headers.get("cookie", ""), cookie_name(self._context.settings))
        used = page_wanted or scope["method"] not in _SAFE
        try:
            session = await self._sessions.session(token, in_use=used)
        except UnavailableError as error:
            if page_wanted:
                answer = database_unavailable(self._context.settings.demo)
            else:
                answer = JSONResponse({"error": error.code}, 503)
            return await answer(scope, receive, send)
        if session is None:
            answer = (
                self._redirect_to_login(scope)
                if page_wanted
                else JSONResponse({"error": "not signed in"}, 401)
            )
            return await answer(scope, receive, send)
        mark = SESSION.set(session)
        try:
            await self._app(scope, receive, send)
        finally:
            SESSION.reset(mark)

    def _redirect_to_login(self, scope: Scope) -> Response:
        query = scope.get("query_string", b"").decode("latin-1")
        wanted = scope["path"] + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303)

    def _same_origin(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:  # every browser sends it with a request of another site
            return True
        return host_of(origin) in {headers.get("host"), *self._own_hosts} - {None, ""}

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        token = read_cookie(headers.get("cookie", ""), cookie_name(self._context.settings))
        try:
            session = await self._sessions.session(token)
        except UnavailableError:
            session = None
        if session is None or headers.get("origin") is None or not self._same_origin(headers):
            return await send({"type": "websocket.close", "code": SIGNED_OUT})
        mark = SESSION.set(session)
        guarded = _GuardedWebsocket(self._sessions, token, receive=receive, send=send)
        try:
            await self._app(scope, guarded.receive, guarded.send)
        finally:
            SESSION.reset(mark)


class _GuardedWebsocket:
    """A websocket whose session is checked for each message."""

    def __init__(self, sessions: SessionLookup, token: str | None, *, receive: Receive, send: Send):
        self._sessions, self._token = sessions, token
        self._receive, self._send = receive, send
        self._closed = False

    async def _has_session(self) -> bool:
        try:
            return await self._sessions.session(self._token) is not None
        except UnavailableError:
            return False

    async def _close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._send({"type": "websocket.close", "code": SIGNED_OUT})

    async def receive(self) -> Message:
        """The browser's next message; a disconnect where the session has ended."""
        message = await self._receive()
        if message["type"] == "websocket.receive" and not await self._has_session():
            await self._close()
            return {"type": "websocket.disconnect", "code": SIGNED_OUT}
        return message

    async def send(self, message: Message) -> None:
        """Send to the browser while it is signed in."""
        if self._closed:
            return
        if message["type"] == "websocket.send" and not await self._has_session():
            await self._close()
            return
        await self._send(message)


def _is_guarded(path: str) -> bool:
    return path == PREFIX or path.startswith(PREFIX + "/")


def _with_headers(send: Send) -> Send:
    """Add security headers to every response; no cache keeps what can hold a patient's data."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            kind = headers.get("content-type", "")
            static = kind.startswith(_STATIC)
            for name, value in HEADERS.items():
                # A script's own policy governs it as a worker, and Dash's opens the websocket.
                if not (static and name in {"Cache-Control", "Content-Security-Policy"}):
                    headers.setdefault(name, value)
        await send(message)

    return sending
