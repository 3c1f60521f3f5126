"""What the board keeps between two reads."""

from __future__ import annotations

import asyncio

from dashboard.board.ranking import rank_episodes
from dashboard.board.snapshot import PatientSnapshot, Ward
from dashboard.live.views import Views
from dashboard.shell.context import WebContext
from store.database.connections import async_pool
from store.episodes.board import Patient
from store.episodes.feed import BoardFeed
from vigil.service.settings import Settings


def ward(*patients: str) -> Ward:
    return [
        PatientSnapshot(
            patient=Patient(
                patient_id=one, display_name=one, ward="Ward A", locale="en", active=True,
                synthetic=False,
            ),
            values={}, ranking=rank_episodes([]), spark={},
        )
        for one in patients
    ]  # fmt: skip


def test_the_rows_of_patients_who_left_are_not_kept() -> None:
    async def through_the_day() -> None:
        settings = Settings(demo=True)
        views = Views(
            WebContext(settings=settings, pool=async_pool(settings), feed=BoardFeed(settings))
        )
        present: list[Ward] = [ward("p1", "p2", "p3")]

        async def read() -> Ward:
            return present[-1]

        views.wards.read = read  # type: ignore[method-assign,assignment]
        before = await views.board("")
        present.append(ward("p3", "p4"))
        content = await views.board("")
        assert [piece.key for piece in content.fragments] == ["p3", "p4"]
        assert views._rows.keys() == {"p3", "p4"}
        assert content.fragments[0] is before.fragments[2], "a row that stayed is kept"
        present.append(ward("p4"))
        await views.board("Ward B")
        assert views._rows.keys() == {"p4"}

    asyncio.run(through_the_day())
