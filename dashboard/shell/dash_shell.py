"""Dash inside the page: its scripts, its websocket, and the callbacks that push updates.

The rows of the board are HTML of our own, made on the server: two hundred patients as Dash
components take a browser a second to draw again, as HTML a few milliseconds, and what a person has
focused stays focused. Dash brings the live connection and the chart.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dash import Dash, dcc, html
from dash.backends._fastapi import reset_current_request, set_current_request
from fastapi.responses import HTMLResponse

from dashboard.shell.dash_guard import CALLS, AllowedCalls, DashGuard
from dashboard.shell.templating import HEADERS, render
from vigil.web.bodies import CheckedBodies

if TYPE_CHECKING:
    from fastapi import FastAPI, Request


PREFIX = "/board/"
_PAGE: ContextVar[tuple[str, dict[str, Any]]] = ContextVar("vigil_page")


class BoardDash(Dash):  # type: ignore[misc]
    """Dash whose page is rendered by our template."""

    def interpolate_index(self, **parts: str) -> str:
        """Put Dash's scripts into the page that is being rendered."""
        template, values = _PAGE.get()
        return render(template, dash=parts, **values)


def _layout() -> Any:
    stores = ("boot", "client", "look", "start", "patch", "turn", "span")
    return html.Div([*(dcc.Store(id=name) for name in stores), html.Div(id="panel")])


class DashShell:
    """Dash in an application, and the pages that contain it."""

    def __init__(self) -> None:
        self._app: BoardDash | None = None
        self._headers: dict[str, str] = {}

    def mount(self, api: FastAPI, register: Callable[[BoardDash], None]) -> None:
        """Add Dash's routes and their guard; ``register`` adds the callbacks.

        The routes of our own pages must be added before: Dash has one for ``/board/`` too, and the
        first that matches answers.
        """
        app = _make_dash(api)
        register(app)
        app._setup_server()
        self._app, self._headers = app, {**HEADERS, "Content-Security-Policy": _policy(app)}
        calls = AllowedCalls(app.callback_map)
        api.add_middleware(DashGuard, dash=app, calls=calls)
        api.add_middleware(CheckedBodies, prefix=PREFIX, checks={CALLS: calls.refusal})

    def page(self, request: Request, template: str, **values: Any) -> HTMLResponse:
        """Render a page that contains Dash."""
        assert self._app is not None  # noqa: S101  (mounted before anything is served)
        asked, shown = set_current_request(request), _PAGE.set((template, values))
        try:
            return HTMLResponse(self._app.index(), headers=self._headers)
        finally:
            _PAGE.reset(shown)
            reset_current_request(asked)


def _policy(app: BoardDash) -> str:
    """The content security policy. Plotly and React write style attributes, so styles may be
    inline; scripts may not."""
    scripts = " ".join(["'self'", *app.csp_hashes()])
    return (
        f"default-src 'none'; script-src {scripts}; worker-src 'self'; connect-src 'self'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _make_dash(api: FastAPI) -> BoardDash:
    app = BoardDash(
        "dashboard",
        server=api,
        backend="fastapi",
        routes_pathname_prefix=PREFIX,
        requests_pathname_prefix=PREFIX,
        assets_folder=str(Path(__file__).parents[1] / "assets"),
        serve_locally=True,
        suppress_callback_exceptions=True,
        websocket_callbacks=True,
        websocket_inactivity_timeout=0,
        title="Vigil",
        update_title="",
        add_log_handler=False,
    )
    # Dash would answer every unknown address, `/v1/…` too, with its page and status 200.
    app.backend._setup_catchall = lambda: None
    app.layout = _layout
    return app
