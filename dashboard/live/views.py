"""What each page shows: read from the store, rendered to pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from dashboard.board import head, rows
from dashboard.board.rows import Fragment
from dashboard.board.snapshot import Seen, Wards
from dashboard.live.stream import Content, Read
from dashboard.patient import cards, chart
from store.episodes import board, evidence
from store.readings import trends
from vigil.service import isolation

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

LIVE_WITHIN = timedelta(hours=1)
"""The chart ends now if the newest reading is so fresh, else with that reading."""
EPISODES_SINCE = timedelta(days=30)


class Views:
    """Reads for every open page of the process."""

    def __init__(self, context: WebContext):
        self._context = context
        self.wards = Wards(context)
        self._rows: dict[str, tuple[Seen, bool, Fragment]] = {}

    def reader(self, start: Mapping[str, Any]) -> Read:
        """What a browser's stream shows, by what it asked for."""
        if start.get("page") == "patient":
            patient_id = str(start.get("patient", ""))
            return lambda: self.patient(patient_id)
        ward = str(start.get("ward") or "")
        return lambda: self.board(ward)

    async def board(self, ward: str) -> Content:
        """The ward board."""
        everyone = await self.wards.now()
        judged = self._context.monitor.overview().judged
        shown = [await self._row(seen, judged) for seen in head.of_ward(everyone, ward)]
        return Content(shown, head.head(everyone, ward, judged=judged))

    async def _row(self, seen: Seen, judged: bool) -> Fragment:
        """The patient's row, drawn again only where it changed; devices are let in between."""
        drawn = self._rows.get(seen.patient.patient_id)
        if drawn is None or drawn[:2] != (seen, judged):
            await asyncio.sleep(0)
            who = seen.patient
            made = isolation.attempt(
                "row",
                who.patient_id,
                partial(rows.row, seen, judged=judged),
                partial(rows.unshown, who),
            )
            drawn = self._rows[who.patient_id] = (seen, judged, made)
        return drawn[2]

    async def patient(self, patient_id: str) -> Content:
        """A patient's page; nothing where there is no such patient."""
        async with self._context.database() as connection:
            who = await board.patient(connection, patient_id)
            if who is None:
                return Content((), "")
            values = {v.signal: v for v in await board.latest(connection, patient_id)}
            until = _end(values, self._context.clock())
            told = await board.episodes_of(connection, patient_id, until - EPISODES_SINCE)
            ids = [episode.event_id for episode in told]
            bases = await evidence.bases(connection, ids)
            deeds = await evidence.actions_of_events(connection, ids)
        pieces = [
            isolation.attempt(
                "card",
                patient_id,
                partial(cards.card, who, one, bases[one.event_id], deeds.get(one.event_id, [])),
                partial(cards.unshown, one),
            )
            for one in told
            if one.event_id in bases
        ]
        newest = max((v.received_at for v in values.values()), default=None)
        turn = f"{newest}:{len(pieces)}:{[piece.digest for piece in pieces[:20]]}"
        judged = self._context.monitor.overview().judged
        heading = isolation.attempt(
            "patient's heading",
            patient_id,
            partial(cards.patient_head, who, values, told, judged=judged),
            partial(cards.patient_head, who, {}, [], judged=judged, fault=True),
        )
        return Content(pieces, heading, rows.digest_of(turn))

    async def trend(self, patient_id: str, span: str) -> chart.Trend:
        """A patient's points and episodes over a span up to now, or to the newest reading."""
        length = chart.SPANS.get(span, chart.SPANS[chart.DEFAULT_SPAN])
        async with self._context.database() as connection:
            values = {v.signal: v for v in await board.latest(connection, patient_id)}
            end = _end(values, self._context.clock())
            start = end - length
            points = await trends.fetch_trend(connection, patient_id, start, end)
            told = await board.episodes_of(connection, patient_id, start)
            bases = await evidence.bases(connection, [e.event_id for e in told])
        return chart.Trend(
            start,
            end,
            trends.choose_zoom(start, end).width,
            points,
            [(e, bases[e.event_id]) for e in told if e.event_id in bases and e.onset < end],
        )


def _end(values: Mapping[str, board.Value], now: datetime) -> datetime:
    newest = max((value.time for value in values.values()), default=now)
    return now if now - LIVE_WITHIN < newest else newest + timedelta(minutes=1)
