"""The patient asks about a message.

What is typed is read, answered and forgotten: it is in no address, no log and no store, and it is
not shown again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dashboard.phone import view
from dashboard.phone.door import RefusedError, phone_of, require_same_origin, small_form
from dashboard.phone.enrolling import stranger
from dashboard.phone.pages import page
from dashboard.phone.routing import router
from dashboard.phone.view import Message
from dashboard.phone.words import words
from explain.languages import LOCALES
from explain.questions.answers import REFUSED, answer, book
from explain.questions.asking import LONGEST, intent_of
from store.database.connections import translated
from store.episodes import steps
from store.people import phones
from vigil.service import isolation

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from store.episodes.steps import Step
    from store.people.phones import Phone

SHOWN = 20
_PAGE = ("heading", "field", "send", "limits")


class Asks(NamedTuple):
    """What stands under a message, in a locale."""

    heading: str
    field: str
    send: str
    limits: str
    questions: tuple[tuple[str, str], ...]
    """Intent and question."""
    longest: int = LONGEST


def asks(locale: str) -> Asks:
    """The questions and the words around them."""
    table = book("patient", spoken(locale))
    questions = tuple((intent, table.say("ask", intent)) for intent in table.asks)
    heading, field, send, limits = (table.say("page", row) for row in _PAGE)
    return Asks(heading, field, send, limits, questions)


def spoken(locale: str) -> str:
    """The locale that questions are answered in for a phone's."""
    return locale if locale in LOCALES else LOCALES[0]


def routes(context: WebContext) -> APIRouter:
    """``/phone/questions``."""
    here, settings = router(context.settings), context.settings

    @here.post("/questions")
    async def ask(request: Request) -> Response:
        require_same_origin(request, settings)
        phone = await phone_of(request, context)
        if phone is None:
            return stranger(settings, request)
        fields = await small_form(request)
        locale = spoken(phone.locale)
        intent = fields.get("intent") or intent_of(fields.get("question", ""), locale) or REFUSED
        message, step = await _asked(context, phone, fields.get("event_id", ""))
        asked = partial(answer, intent, step.event, "patient", locale, step.acknowledged_at)
        told = isolation.attempt("answer", phone.patient_id, asked, lambda: None)
        if told is None:
            raise RefusedError(404)
        return page(
            "question.html",
            settings,
            words=words(phone.locale),
            message=message,
            told=told,
            say=book("patient", locale).say,
            asks=asks(locale),
        )

    return here


async def _asked(context: WebContext, phone: Phone, event_id: str) -> tuple[Message, Step]:
    """The message that a question is about, and the step that it tells.

    Raises:
        RefusedError: it is none of this patient's messages.
    """
    with translated():
        async with context.pool.connection() as connection:
            rows = await phones.messages(connection, phone.patient_id, SHOWN)
            step = await steps.announced_step(connection, phone.patient_id, event_id)
    for message in view.messages(rows, [], phone.locale):
        if message.event_id == event_id and step is not None:
            return message, step
    raise RefusedError(404)
