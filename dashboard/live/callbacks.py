"""Dash's callbacks: the stream of a page, and the chart."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Input, Output, State, ctx, dcc, html, set_props
from dash.exceptions import PreventUpdate

from dashboard.live.stream import Stream
from dashboard.live.views import Views
from dashboard.patient.chart import build_figure
from dashboard.patient.chart_theme import Theme, theme_for
from dashboard.patient.chart_words import describe_chart
from dashboard.patient.trend import DEFAULT_SPAN, Trend
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
    newest: dict[str, int] = {}  # page → its newest stream; older ones end

    @app.callback(Input("start", "data"), websocket=True, persistent=True)  # type: ignore[untyped-decorator]
    async def stream(start: dict[str, Any] | None) -> None:
        # A page of an earlier Vigil names no version. Without an answer it shows that it is not
        # live, and loads itself again.
        if not start or "version" not in start:
            raise PreventUpdate
        websocket, number, page = ctx.websocket, int(start["stream"]), str(start["view"])
        messages = Stream(context, views.reader(start), versions=views.versions, start=start)
        if websocket is None:
            set_props("patch", {"data": await messages.read_once()})
            return
        newest[page] = number
        try:
            async for message in messages.messages():
                if websocket.is_shutdown or newest.get(page) != number:
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
        if not look or not client:  # the page has not started yet
            raise PreventUpdate
        theme = theme_for(str(look.get("theme")), str(look.get("timeZone")))
        try:
            trend = await views.trend(str(client["patient"]), span or DEFAULT_SPAN)
        except UnavailableError:
            raise PreventUpdate from None  # the page shows it; the chart stays
        patient_id = str(client["patient"])
        return _drawn(patient_id, trend, theme), _in_words(patient_id, trend)


def _drawn(patient_id: str, trend: Trend, theme: Theme) -> dict[str, Any]:
    """The figure; an empty one where something in it cannot be drawn."""
    empty = replace(trend, episodes=(), points=())
    return isolation.attempt(
        "chart",
        patient_id,
        make=partial(build_figure, trend, theme),
        otherwise=partial(build_figure, empty, theme),
    )


def _in_words(patient_id: str, trend: Trend) -> str:
    return isolation.attempt(
        "chart in words",
        patient_id,
        make=partial(describe_chart, trend),
        otherwise=lambda: "",
    )


def _panel() -> list[Any]:
    return [
        dcc.Graph(
            id="chart",
            config={"displaylogo": False, "responsive": True, "displayModeBar": False},
            className="chart",
        ),
        html.P(id="chart-words", className="chart-words"),
    ]
