"""``/board/phrasebook``: every sentence that alerts may use, read and reviewed by the care team.

Plain pages and forms: they work by keyboard, on a phone, and without a script.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.auth.door import SESSION
from dashboard.auth.guard import database_away
from dashboard.phrase_review import cards as phrase_cards
from dashboard.phrase_review import review as phrase_review
from dashboard.phrase_review.cards import Asked
from dashboard.phrase_review.review import Done, Turned, Verb
from dashboard.shell.roles import REVIEWERS
from dashboard.shell.templating import page
from explain.phrasebook.reviewing import kind_label
from store.phrases import review as phrases
from vigil.service.errors import UnavailableError
from vigil.values.text import Lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboard.shell.context import WebContext

PATH = "/board/phrasebook"
PAGE_SIZE = 20
AWAY = "The message system does not answer, so nothing was recorded. Try again in a moment."
EXPIRED = Turned(403, "This page is from an earlier sign-in. Look again, then decide.")
Text = Annotated[Lines, Form(max_length=2000)]
SAID = {
    "approve": "approved",
    "ban": "banned",
    "unban": "a draft again",
    "edit": "changed",
}


class PhrasePages:
    """The list, one sentence, and what is done to them."""

    def __init__(self, context: WebContext):
        self._context = context
        self._demo = context.settings.demo

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(PATH, self.show_list, methods=["GET"])
        router.add_api_route(f"{PATH}/review", self.take_review, methods=["POST"])
        router.add_api_route(f"{PATH}/{{phrase_id}}", self.show_phrase, methods=["GET"])
        router.add_api_route(f"{PATH}/{{phrase_id}}", self.take_edit, methods=["POST"])
        return router

    async def show_list(self, request: Request) -> Response:
        """The phrases that are wanted, a page of them."""
        asked = phrase_cards.asked_of(request.url.query)
        return await self._list(asked, said=_said(request.query_params))

    async def take_review(
        self,
        verb: Annotated[Verb, Form()],
        phrase: Annotated[list[str], Form(max_length=PAGE_SIZE)],
        csrf: Text = "",
        back: Text = "",
        at: Annotated[int, Form()] = 0,
    ) -> Response:
        """Approve, ban or un-ban what stands on a page."""
        asked = phrase_cards.asked_of(back)
        wanted = phrase_cards.revisions_of(phrase)
        if not _may_review():
            return self._not_yours()
        if not _ours(csrf):
            return await self._list(asked, EXPIRED)
        try:
            result = await phrase_review.review(self._context, verb, wanted, SESSION.get().user_id)
        except UnavailableError as error:
            return await self._failed(error, asked)
        if isinstance(result, Turned):
            return await self._list(asked, result)
        return _onward(asked, verb, result._replace(number=len(wanted)), at)

    async def show_phrase(self, phrase_id: str, back: str = "") -> Response:
        """One sentence: in its message, with its history, and a form to change it."""
        return await self._phrase(phrase_id, phrase_cards.asked_of(back))

    async def take_edit(
        self,
        phrase_id: str,
        text: Text = "",
        revision: Annotated[int, Form()] = 0,
        csrf: Text = "",
        back: Text = "",
    ) -> Response:
        """Change the words; what was typed is kept where that cannot be."""
        asked = phrase_cards.asked_of(back)
        if not _may_review():
            return self._not_yours()
        if not _ours(csrf):
            return await self._phrase(phrase_id, asked, EXPIRED, text)
        try:
            result = await phrase_review.edit(
                self._context, phrase_id, revision, text, SESSION.get().user_id
            )
        except UnavailableError as error:
            return await self._failed(error, asked, phrase_id, text)
        if isinstance(result, Turned):
            return await self._phrase(phrase_id, asked, result, text)
        return _onward(asked, "edit", result._replace(number=1), 0)

    async def _failed(
        self, error: UnavailableError, asked: Asked, phrase_id: str = "", typed: str = ""
    ) -> Response:
        if not error.code.startswith("unavailable.broker"):
            return database_away(self._demo)
        away = Turned(503, AWAY)
        if phrase_id:
            return await self._phrase(phrase_id, asked, away, typed)
        return await self._list(asked, away)

    async def _list(
        self, asked: Asked, turned: Turned | None = None, *, said: str = ""
    ) -> Response:
        if not _may_review():
            return self._not_yours()
        wanted = asked.wanted()
        try:
            async with self._context.database() as connection:
                totals = await phrases.totals(connection)
                kinds = await phrases.kinds(connection)
                count, lines = await phrases.page(connection, wanted, PAGE_SIZE, asked.page - 1)
        except UnavailableError:
            return database_away(self._demo)
        return page(
            "phrasebook.html",
            turned.status if turned else 200,
            **self._common(asked),
            turned=turned,
            said=said,
            totals=totals,
            count=count,
            kinds=[(kind, kind_label(kind)) for kind in kinds],
            cards=[phrase_cards.card(line) for line in lines],
            pages=max(1, -(-count // PAGE_SIZE)),
            size=PAGE_SIZE,
        )

    async def _phrase(
        self, phrase_id: str, asked: Asked, turned: Turned | None = None, typed: str | None = None
    ) -> Response:
        if not _may_review():
            return self._not_yours()
        try:
            async with self._context.database() as connection:
                lines = await phrases.lines(connection, [phrase_id])
                if not lines:
                    return self._message(404, "There is no such sentence", "The link may be old.")
                steps = await phrases.history(connection, phrase_id)
                before = await phrases.lines(connection, [lines[0].replaces])
        except UnavailableError:
            return database_away(self._demo)
        card = phrase_cards.card(lines[0])
        return page(
            "phrase.html",
            turned.status if turned else 200,
            **self._common(asked),
            turned=turned,
            card=card,
            steps=steps,
            before=before[0] if before else None,
            typed=lines[0].text if typed is None else typed,
        )

    def _common(self, asked: Asked) -> dict[str, Any]:
        return {
            "demo": self._demo,
            "session": SESSION.get(),
            "here": "phrasebook",
            "asked": asked,
            "policy": self._context.settings.patient_text,
        }

    def _not_yours(self) -> Response:
        return self._message(403, "For the care team", "Your role does not include the phrasebook.")

    def _message(self, status: int, heading: str, line: str) -> Response:
        return page(
            "message.html",
            status,
            demo=self._demo,
            heading=heading,
            lines=[line],
            link=PATH if status == 404 else "/board/",
            link_text="Back",
            again_in=0,
            severe=False,
        )


def _may_review() -> bool:
    return SESSION.get().role in REVIEWERS


def _ours(csrf: str) -> bool:
    return compare_digest(SESSION.get().csrf.encode(), csrf.encode())


def _said(query: Mapping[str, str]) -> str:
    """What the act before this page has done, for the reviewer to read."""
    done = SAID.get(query.get("did", ""))
    if done is None:
        return ""
    number = query.get("count", "")
    count = int(number) if number.isdecimal() and len(number) < 4 else 0
    said = f"{count} sentences are {done}." if count != 1 else f"1 sentence is {done}."
    late = " The database has not heard yet: look again in a moment." if "late" in query else ""
    return said + late


def _onward(asked: Asked, did: str, done: Done, at: int) -> Response:
    """Back to where the reviewer was, with what was done; reloading does it no second time."""
    query = {**asked.query(), "did": did, "count": done.number}
    if not done.seen:
        query["late"] = 1
    return RedirectResponse(f"{PATH}?{urlencode(query)}#n{max(0, at)}", 303)
