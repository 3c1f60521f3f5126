"""The patient asks about a message.

What is typed is answered and discarded: it is in no address, log or store, and is not shown again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dashboard.phone import view
from dashboard.phone.access import RefusedError, find_phone, read_form, require_same_origin
from dashboard.phone.enrolling import unknown_phone_page
from dashboard.phone.pages import render_page
from dashboard.phone.routing import phone_router
from dashboard.phone.view import Message
from dashboard.phone.words import words_for
from dashboard.shell.text_times import of_event
from explain.languages import LOCALES
from explain.questions.answers import REFUSED, answer
from explain.questions.asking import MAX_QUESTION_CHARACTERS, intent_of
from explain.questions.table import question_table
from store.database.connections import translated
from store.episodes import steps
from store.people import phones
from vigil.service import isolation

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from store.episodes.steps import Step
    from store.people.phones import Phone

MAX_MESSAGES = 20
"""Messages that the page shows."""
_PAGE = ("heading", "field", "send", "limits")


@dataclass(frozen=True, slots=True)
class OfferedQuestion:
    """A question that can be asked by a button."""

    intent: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionForm:
    """The form under a message, in a locale."""

    heading: str
    field: str
    send: str
    limits: str
    questions: tuple[OfferedQuestion, ...]
    longest: int = MAX_QUESTION_CHARACTERS
    """Characters that may be typed."""


def question_form(locale: str) -> QuestionForm:
    """The form for a phone's locale."""
    table = question_table("patient", answer_locale(locale))
    questions = tuple(
        OfferedQuestion(intent, table.text("ask", intent)) for intent in table.intents
    )
    heading, field, send, limits = (table.text("page", row) for row in _PAGE)
    return QuestionForm(heading=heading, field=field, send=send, limits=limits, questions=questions)


def answer_locale(locale: str) -> str:
    """The locale in which questions of a phone's locale are answered."""
    return locale if locale in LOCALES else LOCALES[0]


def routes(context: WebContext) -> APIRouter:
    """``/phone/questions``."""
    router, settings = phone_router(context.settings), context.settings

    @router.post("/questions")
    async def ask(request: Request) -> Response:
        require_same_origin(request, settings)
        phone = await find_phone(request, context)
        if phone is None:
            return unknown_phone_page(settings, request)
        fields = await read_form(request)
        locale = answer_locale(phone.locale)
        intent = fields.get("intent") or intent_of(fields.get("question", ""), locale) or REFUSED
        message, step = await _message_and_step(context, phone, fields.get("episode_id", ""))
        asked = partial(
            answer,
            intent,
            step.event,
            audience="patient",
            locale=locale,
            seen_at=step.acknowledged_at,
        )
        answered = isolation.attempt("answer", phone.patient_id, make=asked, otherwise=lambda: None)
        if answered is None:
            raise RefusedError(404)
        return render_page(
            "question.html",
            settings,
            words=words_for(phone.locale),
            message=message,
            answer=answered,
            marked=of_event(step.event, locale, "data-local"),
            text=question_table("patient", locale).text,
            form=question_form(locale),
        )

    return router


async def _message_and_step(
    context: WebContext, phone: Phone, episode_id: str
) -> tuple[Message, Step]:
    """The message that a question is about, and its episode's step.

    Raises:
        RefusedError: it is not a message of this patient.
    """
    with translated():
        async with context.pool.connection() as connection:
            rows = await phones.messages(connection, phone.patient_id, MAX_MESSAGES)
            step = await steps.announced_step(connection, phone.patient_id, episode_id)
    for message in view.list_messages(rows, [], phone.locale):
        if message.episode_id == episode_id and step is not None:
            return message, step
    raise RefusedError(404)
