"""The content of each page: read from the store, rendered to fragments."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from dashboard.board import head, rows
from dashboard.board.rows import Fragment
from dashboard.board.snapshot import PatientSnapshot, Wards
from dashboard.live.stream import PageContent, ReadContent
from dashboard.live.versions import Versions
from dashboard.patient import cards
from dashboard.patient.trend import DEFAULT_SPAN, SPANS, JudgedEpisode, Trend
from store.episodes import board, evidence
from store.episodes.board import Episode, Patient, Value
from store.readings import trends
from vigil.service import isolation

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

LIVE_WITHIN = timedelta(hours=1)
"""The chart ends now where the newest reading is no older, else with that reading."""
EPISODES_SINCE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _RenderedRow:
    """A row, and what it was rendered from."""

    seen: PatientSnapshot
    judged: bool
    fragment: Fragment


class Views:
    """Reads for every open page of the process."""

    def __init__(self, context: WebContext):
        self._context = context
        self.wards = Wards(context)
        self.versions = Versions()
        self._rows: dict[str, _RenderedRow] = {}

    def reader(self, start: Mapping[str, Any]) -> ReadContent:
        """The function that reads the page which a browser asked for."""
        if start.get("page") == "patient":
            patient_id = str(start.get("patient", ""))
            return lambda: self.patient(patient_id)
        ward = str(start.get("ward") or "")
        return lambda: self.board(ward)

    async def board(self, ward: str) -> PageContent:
        """The content of the ward board; of all wards where the name is empty."""
        everyone = await self.wards.read()
        judged = self._context.monitor.overview().judged
        shown = [await self._row(seen, judged) for seen in head.patients_in_ward(everyone, ward)]
        self._forget_rows(everyone)
        return PageContent(shown, head.render_head(everyone, ward, judged=judged))

    def _forget_rows(self, everyone: Sequence[PatientSnapshot]) -> None:
        """Drop the rows of patients who have left."""
        if len(self._rows) > len(everyone):
            present = {seen.patient.patient_id for seen in everyone}
            self._rows = {one: row for one, row in self._rows.items() if one in present}

    async def _row(self, seen: PatientSnapshot, judged: bool) -> Fragment:
        """The patient's row, rendered again only where it changed; requests of devices run in
        between.
        """
        row = self._rows.get(seen.patient.patient_id)
        if row is None or row.judged != judged or row.seen != seen:
            await asyncio.sleep(0)
            fragment = isolation.attempt(
                "row",
                seen.patient.patient_id,
                make=partial(rows.render_row, seen, judged=judged),
                otherwise=partial(rows.render_row_placeholder, seen.patient),
            )
            row = self._rows[seen.patient.patient_id] = _RenderedRow(seen, judged, fragment)
        return row.fragment

    async def patient(self, patient_id: str) -> PageContent:
        """The content of a patient's page; empty where there is no such patient."""
        async with self._context.database() as connection:
            who = await board.patient(connection, patient_id)
            if who is None:
                return PageContent((), "")
            values = {v.signal: v for v in await board.latest(connection, patient_id)}
            until = _end(values, self._context.clock())
            episodes = await board.episodes_of(connection, patient_id, until - EPISODES_SINCE)
            ids = [episode.episode_id for episode in episodes]
            bases = await evidence.bases(connection, ids)
            actions = await evidence.actions_of_events(connection, ids)
        fragments = [
            _card(who, one, basis=bases[one.episode_id], actions=actions.get(one.episode_id, []))
            for one in episodes
            if one.episode_id in bases
        ]
        newest = max((v.received_at for v in values.values()), default=None)
        turn = f"{newest}:{len(fragments)}:{[piece.digest for piece in fragments[:20]]}"
        heading = self._heading(who, values, episodes)
        return PageContent(fragments, heading, rows.digest_text(turn))

    def _heading(
        self, who: Patient, values: Mapping[str, Value], episodes: Sequence[Episode]
    ) -> str:
        judged = self._context.monitor.overview().judged
        render = partial(cards.render_patient_head, who, judged=judged)
        return isolation.attempt(
            "patient's heading",
            who.patient_id,
            make=partial(render, values, episodes),
            otherwise=partial(render, {}, [], fault=True),
        )

    async def trend(self, patient_id: str, span: str) -> Trend:
        """A patient's points and episodes over a span up to now, or to the newest reading."""
        length = SPANS.get(span, SPANS[DEFAULT_SPAN])
        async with self._context.database() as connection:
            values = {v.signal: v for v in await board.latest(connection, patient_id)}
            end = _end(values, self._context.clock())
            start = end - length
            points = await trends.fetch_trend(connection, patient_id, start=start, end=end)
            episodes = await board.episodes_of(connection, patient_id, start)
            bases = await evidence.bases(connection, [one.episode_id for one in episodes])
        return Trend(
            start=start,
            end=end,
            width=trends.choose_zoom(start, end).width,
            points=points,
            episodes=[
                JudgedEpisode(one, bases[one.episode_id])
                for one in episodes
                if one.episode_id in bases and one.onset < end
            ],
        )


def _card(
    who: Patient,
    episode: Episode,
    *,
    basis: evidence.Basis,
    actions: Sequence[evidence.StoredAction],
) -> Fragment:
    return isolation.attempt(
        "card",
        who.patient_id,
        make=partial(cards.render_card, who, episode, basis=basis, actions=actions),
        otherwise=partial(cards.render_card_placeholder, episode),
    )


def _end(values: Mapping[str, Value], now: datetime) -> datetime:
    """Where a chart ends."""
    newest = max((value.time for value in values.values()), default=now)
    return now if now - LIVE_WITHIN < newest else newest + timedelta(minutes=1)
