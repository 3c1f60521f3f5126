"""``/board/patient/…/questions/…``: the care team asks about an alert.

What is typed is answered and discarded: it is in no address, log or store, and is not shown again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import Response

from dashboard.auth.guard import database_unavailable
from dashboard.auth.session_lookup import SESSION
from dashboard.board.rows import began
from dashboard.shell.templating import render_page
from dashboard.shell.text_times import of_event
from explain.facts.extraction import bears_duration, unobserved_end
from explain.questions.answers import REFUSED, answer
from explain.questions.asking import MAX_QUESTION_CHARACTERS, intent_of
from explain.questions.table import question_table
from store.episodes import board, steps
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS
from vigil.service import isolation
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

PATH = "/board/patient/{patient_id}/questions/{episode_id}"


class QuestionPages:
    """The pages of questions about an alert."""

    def __init__(self, context: WebContext):
        self._context = context
        self._demo = context.settings.demo

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(PATH, self.show, methods=["GET"])
        router.add_api_route(PATH, self.post, methods=["POST"])
        return router

    async def show(self, patient_id: str, episode_id: str, intent: str = "") -> Response:
        """The answer to one of the reviewed questions; without one, the questions."""
        known = intent if intent in question_table("care_team").intents else ""
        return await self._page(patient_id, episode_id, known)

    async def post(
        self, patient_id: str, episode_id: str, question: Annotated[str, Form()] = ""
    ) -> Response:
        """The answer to a question in the reader's own words, or a refusal."""
        return await self._page(
            patient_id, episode_id, intent_of(question, "en", "care_team") or REFUSED
        )

    async def _page(self, patient_id: str, episode_id: str, intent: str) -> Response:
        try:
            async with self._context.database() as connection:
                who = await board.patient(connection, patient_id)
                step = (
                    await steps.announced_step(connection, patient_id, episode_id) if who else None
                )
        except UnavailableError:
            return database_unavailable(self._demo)
        if who is None or step is None:
            return self._no_such_alert()
        event = step.event
        answered = None
        if intent:
            ask = partial(answer, intent, event, audience="care_team", seen_at=step.acknowledged_at)
            answered = isolation.attempt("answer", patient_id, make=ask, otherwise=lambda: None)
            if answered is None:
                return self._no_such_alert()
        shown: dict[str, Any] = {
            "answer": answered,
            "marked": of_event(event),
            "kind": KINDS[event.kind].label if event.kind in KINDS else event.kind,
            "intents": question_table("care_team").intents,
            "text": question_table("care_team").text,
            "longest": MAX_QUESTION_CHARACTERS,
        }
        return render_page(
            "patient/question.html",
            demo=self._demo,
            session=SESSION.get(),
            here="question",
            who=who,
            event=event,
            **_when(event),
            **shown,
        )

    def _no_such_alert(self) -> Response:
        return render_page(
            "shell/message.html",
            404,
            demo=self._demo,
            heading="There is no such alert",
            lines=["The link may be old, or its words are not there yet."],
            link="/board/",
            link_text="Back to the board",
            again_in=0,
            severe=False,
        )


def _when(event: Event) -> dict[str, Any]:
    """The words and times that say when an episode was."""
    bears, lost = bears_duration(event.category, event.evidence), unobserved_end(event.evidence)
    return {
        "began": began(bears),
        "ended_at": (event.ended_at or event.detected_at) if event.phase == "closed" else None,
        "whole": bears and not lost,
        "last": "last measured" if lost else "found over",
    }
