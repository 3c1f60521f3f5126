"""Dash's callbacks: the stream of a page, and the chart."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Input, Output, State, ctx, dcc, html, set_props
from dash.exceptions import PreventUpdate

from dashboard.live.stream import Stream
from dashboard.live.views import Views
from dashboard.patient import chart, chart_words
from vigil.service import isolation
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from dashboard.shell.dash_shell import BoardDash


def register(app: BoardDash, context: WebContext, views: Views) -> None:
    """Add every callback."""
    app.clientside_callback(
        ClientsideFunction("vigil", "begin"),
        Output("client", "data"),
        Output("look", "data"),
        Output("start", "data"),
        Input("boot", "data"),
    )
    app.clientside_callback(ClientsideFunction("vigil", "apply"), Input("patch", "data"))
    _stream(app, context, views)
    _chart(app, views)


def _stream(app: BoardDash, context: WebContext, views: Views) -> None:
    newest: dict[str, int] = {}  # page → its newest stream; an older one ends

    @app.callback(Input("start", "data"), websocket=True, persistent=True)  # type: ignore[untyped-decorator]
    async def stream(start: dict[str, Any] | None) -> None:
        if not start:
            raise PreventUpdate
        line, number, page = ctx.websocket, int(start["stream"]), str(start["view"])
        seen = {str(k): str(v) for k, v in dict(start.get("seen") or {}).items()}
        made = Stream(context, views.reader(start), number, seen)
        if line is None:
            set_props("patch", {"data": await made.once()})
            return
        newest[page] = number
        try:
            async for message in made.messages():
                if line.is_shutdown or newest.get(page) != number:
                    return
                set_props("patch", {"data": message})
        finally:
            if newest.get(page) == number:
                del newest[page]


def _chart(app: BoardDash, views: Views) -> None:
    @app.callback(Output("panel", "children"), Input("client", "data"))  # type: ignore[untyped-decorator]
    async def panel(client: dict[str, Any] | None) -> Any:
        if not client or client.get("page") != "patient":
            raise PreventUpdate
        return _panel()

    @app.callback(  # type: ignore[untyped-decorator]
        Output("chart", "figure"),
        Output("chart-words", "children"),
        Input("span", "data"),
        Input("turn", "data"),
        Input("look", "data"),
        State("client", "data"),
    )
    async def draw(
        span: str | None,
        _turn: Any,
        look: dict[str, Any] | None,
        client: dict[str, Any] | None,
    ) -> tuple[Any, Any]:
        if not look or not client:  # the page has not begun yet
            raise PreventUpdate
        theme = chart.theme(str(look.get("theme")), str(look.get("timeZone")))
        try:
            trend = await views.trend(str(client["patient"]), span or chart.DEFAULT_SPAN)
        except UnavailableError:
            raise PreventUpdate from None  # the page says it; the chart stays as it was
        patient = str(client["patient"])
        drawn = isolation.attempt(
            "chart",
            patient,
            partial(chart.figure, trend, theme),
            partial(chart.figure, trend._replace(episodes=(), points=()), theme),
        )
        words = partial(chart_words.words, trend)
        return drawn, isolation.attempt("chart in words", patient, words, lambda: "")


def _panel() -> list[Any]:
    return [
        dcc.Graph(
            id="chart",
            config={"displaylogo": False, "responsive": True, "displayModeBar": False},
            className="chart",
        ),
        html.P(id="chart-words", className="chart-words"),
    ]
