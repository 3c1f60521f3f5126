"""``/board/patient/…/questions/…``: the care team asks about an alert.

What is typed is read, answered and forgotten: it is in no address, no log and no store, and it is
not shown again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import Response

from dashboard.auth.door import SESSION
from dashboard.auth.guard import database_away
from dashboard.shell.templating import page
from explain.questions.answers import REFUSED, answer, book
from explain.questions.asking import LONGEST, intent_of
from store.episodes import board, steps
from vigil.domain.kinds import KINDS
from vigil.service import isolation
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

PATH = "/board/patient/{patient_id}/questions/{event_id}"


class QuestionPages:
    """Questions about an alert."""

    def __init__(self, context: WebContext):
        self._context = context
        self._demo = context.settings.demo

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(PATH, self.show, methods=["GET"])
        router.add_api_route(PATH, self.take, methods=["POST"])
        return router

    async def show(self, patient_id: str, event_id: str, intent: str = "") -> Response:
        """The answer to one of the reviewed questions; without one, the questions."""
        known = intent if intent in book("care_team").asks else ""
        return await self._page(patient_id, event_id, known)

    async def take(
        self, patient_id: str, event_id: str, question: Annotated[str, Form()] = ""
    ) -> Response:
        """The answer to a question in the reader's own words, or that there is none."""
        return await self._page(
            patient_id, event_id, intent_of(question, "en", "care_team") or REFUSED
        )

    async def _page(self, patient_id: str, event_id: str, intent: str) -> Response:
        try:
            async with self._context.database() as connection:
                who = await board.patient(connection, patient_id)
                step = await steps.announced_step(connection, patient_id, event_id) if who else None
        except UnavailableError:
            return database_away(self._demo)
        if who is None or step is None:
            return self._nothing()
        event, seen = step.event, step.acknowledged_at
        told = None
        if intent:
            asked = partial(answer, intent, event, "care_team", seen_at=seen)
            told = isolation.attempt("answer", patient_id, asked, lambda: None)
            if told is None:
                return self._nothing()
        shown: dict[str, Any] = {
            "told": told,
            "kind": KINDS[event.kind].label if event.kind in KINDS else event.kind,
            "intents": book("care_team").asks,
            "say": book("care_team").say,
            "longest": LONGEST,
        }
        return page(
            "question.html",
            demo=self._demo,
            session=SESSION.get(),
            here="question",
            who=who,
            event=event,
            **shown,
        )

    def _nothing(self) -> Response:
        return page(
            "message.html",
            404,
            demo=self._demo,
            heading="There is no such alert",
            lines=["The link may be old, or its words are not there yet."],
            link="/board/",
            link_text="Back to the board",
            again_in=0,
            severe=False,
        )
