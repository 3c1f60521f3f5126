"""``/board/phrasebook``: every sentence that alerts may use, for review by the care team.

Plain pages and forms: they work by keyboard, on a phone, and without a script.
"""

from __future__ import annotations

from dataclasses import replace
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.auth.guard import database_unavailable
from dashboard.auth.session_lookup import SESSION
from dashboard.phrase_review import cards as phrase_cards
from dashboard.phrase_review import review as phrase_review
from dashboard.phrase_review.cards import PhraseQuery
from dashboard.phrase_review.review import ReviewRecorded, ReviewRejected, Verb
from dashboard.shell.roles import REVIEWERS
from dashboard.shell.templating import render_page
from explain.phrasebook.reviewing import kind_label
from store.phrases import review as phrases
from vigil.service.errors import UnavailableError
from vigil.values.text import Lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboard.shell.context import WebContext

PATH = "/board/phrasebook"
PAGE_SIZE = 20
UNAVAILABLE = "The message system does not answer, so nothing was recorded. Try again in a moment."
EXPIRED = ReviewRejected(403, "This page is from an earlier sign-in. Look again, then decide.")
Text = Annotated[Lines, Form(max_length=2000)]
OUTCOMES = {
    "approve": "approved",
    "ban": "banned",
    "unban": "a draft again",
    "edit": "changed",
}


class PhrasePages:
    """The list, one sentence, and their reviews."""

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
        """A page of the phrases of a query."""
        query = phrase_cards.parse_query(request.url.query)
        return await self._list(query, outcome=_outcome_text(request.query_params))

    async def take_review(
        self,
        verb: Annotated[Verb, Form()],
        phrase: Annotated[list[str], Form(max_length=PAGE_SIZE)],
        csrf: Text = "",
        back: Text = "",
        at: Annotated[int, Form()] = 0,
    ) -> Response:
        """Approve, ban or un-ban phrases of a page."""
        query = phrase_cards.parse_query(back)
        wanted = phrase_cards.parse_revisions(phrase)
        if not _may_review():
            return self._forbidden()
        if not _csrf_matches(csrf):
            return await self._list(query, EXPIRED)
        try:
            result = await phrase_review.review_phrases(
                self._context, verb, wanted=wanted, by=SESSION.get().user_id
            )
        except UnavailableError as error:
            return await self._unavailable(error, query)
        if isinstance(result, ReviewRejected):
            return await self._list(query, result)
        return _redirect_with_outcome(
            query, did=verb, recorded=replace(result, number=len(wanted)), at=at
        )

    async def show_phrase(self, phrase_id: str, back: str = "") -> Response:
        """One sentence: in its message, with its history and a form to change it."""
        return await self._phrase(phrase_id, phrase_cards.parse_query(back))

    async def take_edit(
        self,
        phrase_id: str,
        text: Text = "",
        revision: Annotated[int, Form()] = 0,
        csrf: Text = "",
        back: Text = "",
    ) -> Response:
        """Change the sentence; where it is refused, what was typed is kept."""
        query = phrase_cards.parse_query(back)
        if not _may_review():
            return self._forbidden()
        if not _csrf_matches(csrf):
            return await self._phrase(phrase_id, query, rejected=EXPIRED, typed=text)
        try:
            result = await phrase_review.edit_phrase(
                self._context,
                phrase_id,
                revision=revision,
                text=text,
                by=SESSION.get().user_id,
            )
        except UnavailableError as error:
            return await self._unavailable(error, query, phrase_id=phrase_id, typed=text)
        if isinstance(result, ReviewRejected):
            return await self._phrase(phrase_id, query, rejected=result, typed=text)
        return _redirect_with_outcome(query, did="edit", recorded=replace(result, number=1), at=0)

    async def _unavailable(
        self,
        error: UnavailableError,
        query: PhraseQuery,
        *,
        phrase_id: str = "",
        typed: str = "",
    ) -> Response:
        if not error.code.startswith("unavailable.broker"):
            return database_unavailable(self._demo)
        unavailable = ReviewRejected(503, UNAVAILABLE)
        if phrase_id:
            return await self._phrase(phrase_id, query, rejected=unavailable, typed=typed)
        return await self._list(query, unavailable)

    async def _list(
        self, query: PhraseQuery, rejected: ReviewRejected | None = None, *, outcome: str = ""
    ) -> Response:
        if not _may_review():
            return self._forbidden()
        wanted = query.wanted()
        try:
            async with self._context.database() as connection:
                totals = await phrases.totals(connection)
                kinds = await phrases.kinds(connection)
                count, lines = await phrases.page(
                    connection, wanted, size=PAGE_SIZE, number=query.page - 1
                )
        except UnavailableError:
            return database_unavailable(self._demo)
        return render_page(
            "phrase_review/phrasebook.html",
            rejected.status if rejected else 200,
            **self._common(query),
            rejected=rejected,
            outcome=outcome,
            totals=totals,
            count=count,
            kinds=[(kind, kind_label(kind)) for kind in kinds],
            cards=[phrase_cards.phrase_card(line) for line in lines],
            pages=max(1, -(-count // PAGE_SIZE)),
            size=PAGE_SIZE,
        )

    async def _phrase(
        self,
        phrase_id: str,
        query: PhraseQuery,
        *,
        rejected: ReviewRejected | None = None,
        typed: str | None = None,
    ) -> Response:
        if not _may_review():
            return self._forbidden()
        try:
            async with self._context.database() as connection:
                lines = await phrases.lines(connection, [phrase_id])
                if not lines:
                    return self._message(404, "There is no such sentence", "The link may be old.")
                steps = await phrases.history(connection, phrase_id)
                before = await phrases.lines(connection, [lines[0].replaces])
        except UnavailableError:
            return database_unavailable(self._demo)
        card = phrase_cards.phrase_card(lines[0])
        return render_page(
            "phrase_review/phrase.html",
            rejected.status if rejected else 200,
            **self._common(query),
            rejected=rejected,
            card=card,
            steps=steps,
            before=before[0] if before else None,
            typed=lines[0].text if typed is None else typed,
        )

    def _common(self, query: PhraseQuery) -> dict[str, Any]:
        return {
            "demo": self._demo,
            "session": SESSION.get(),
            "here": "phrasebook",
            "query": query,
            "policy": self._context.settings.patient_text,
        }

    def _forbidden(self) -> Response:
        return self._message(403, "For the care team", "Your role does not include the phrasebook.")

    def _message(self, status: int, heading: str, line: str) -> Response:
        return render_page(
            "shell/message.html",
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


def _csrf_matches(csrf: str) -> bool:
    return compare_digest(SESSION.get().csrf.encode(), csrf.encode())


def _outcome_text(query: Mapping[str, str]) -> str:
    """The outcome of the review that led to this page."""
    outcome = OUTCOMES.get(query.get("did", ""))
    if outcome is None:
        return ""
    number = query.get("count", "")
    count = int(number) if number.isdecimal() and len(number) < 4 else 0
    text = f"{count} sentences are {outcome}." if count != 1 else f"1 sentence is {outcome}."
    late = " The database does not have it yet: look again in a moment." if "late" in query else ""
    return text + late


def _redirect_with_outcome(
    query: PhraseQuery, *, did: str, recorded: ReviewRecorded, at: int
) -> Response:
    """Back to where the reviewer was, with the outcome; reloading does not repeat the review."""
    values = {**query.query(), "did": did, "count": recorded.number}
    if not recorded.confirmed:
        values["late"] = 1
    return RedirectResponse(f"{PATH}?{urlencode(values)}#n{max(0, at)}", 303)
