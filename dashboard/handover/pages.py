"""``/board/summary``: what happened in the last hours, for a ward or a patient. Works without a
script, and in print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response

from dashboard.auth.guard import database_unavailable
from dashboard.auth.session_lookup import SESSION
from dashboard.handover.view import View, readable_summary
from dashboard.shell.templating import render_page
from explain.shift_summary.records import Window
from store.episodes import board
from store.episodes.shift import Subject, fetch_shift
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

HOURS = (8, 12)
"""The lengths of a shift that can be chosen; any other selects the first."""


class SummaryPages:
    """The page of the summary of a shift."""

    def __init__(self, context: WebContext):
        self._context = context

    def router(self) -> APIRouter:
        """Their route."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/board/summary", self.show, methods=["GET"])
        return router

    async def show(self, hours: str = "", ward: str = "", patient: str = "") -> Response:
        """The summary of a patient, of a ward, or of everyone."""
        length = int(hours) if hours in {str(one) for one in HOURS} else HOURS[0]
        window, of = (
            Window(self._context.clock(), length),
            Subject("" if patient else ward, patient),
        )
        try:
            async with self._context.database() as connection:
                one = await board.patient(connection, patient) if patient else None
                everyone = await board.patients(connection)
                if patient and one is None:
                    return self._nobody()
                found = await fetch_shift(connection, of, start=window.start, end=window.end)
        except UnavailableError:
            return database_unavailable(self._context.settings.demo)
        who = {known.patient_id: known for known in (*everyone, *([one] if one else []))}
        shown = readable_summary(of, found, window)
        return render_page(
            "handover/summary.html",
            demo=self._context.settings.demo,
            session=SESSION.get(),
            here="summary",
            now=window.end,
            window=window,
            lines=View(found, who).lines(shown.summary),
            of=of,
            patient=one,
            synthetic=shown.summary.synthetic or (one is not None and one.synthetic),
            not_shown=[(one, who.get(one)) for one in sorted(shown.not_shown)],
            hours=HOURS,
            wards=sorted({known.ward for known in everyone}),
        )

    def _nobody(self) -> Response:
        return render_page(
            "shell/message.html",
            404,
            demo=self._context.settings.demo,
            heading="There is no such patient",
            lines=["The link may be old."],
            link="/board/",
            link_text="Back to the board",
            again_in=0,
            severe=False,
        )
