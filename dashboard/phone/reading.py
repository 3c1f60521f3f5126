"""The patient's messages, and their replies."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from dashboard.phone import view
from dashboard.phone.access import (
    RefusedError,
    find_phone,
    read_form,
    require_same_origin,
    set_phone_cookie,
    sign_reply,
    token_of,
    verify_reply,
)
from dashboard.phone.asking import MAX_MESSAGES, question_form
from dashboard.phone.enrolling import unknown_phone_page
from dashboard.phone.pages import render_page
from dashboard.phone.routing import PREFIX, phone_router
from dashboard.phone.view import SentReply
from dashboard.phone.words import words_for
from store.database.connections import translated
from store.people import phones
from vigil.contracts import wire
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.service import logs
from vigil.service.errors import UnavailableError
from vigil.web.web_push import private_key, public_key

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from store.people.phones import Phone

log = logs.get("phone")
_NONCE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class _StoredMessages:
    rows: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    """The patient's replies and the acknowledgements, oldest first."""


def routes(context: WebContext) -> APIRouter:
    """``/phone``, ``/phone/version`` and ``/phone/replies``.

    Raises:
        SettingsError: the VAPID key is not valid.
    """
    return MessagePages(context).router()


class MessagePages:
    """The page of messages."""

    def __init__(self, context: WebContext):
        self._context, self._settings = context, context.settings
        private = private_key(self._settings)
        self._push_key = public_key(private) if private else ""

    def router(self) -> APIRouter:
        """Its routes."""
        router = phone_router(self._settings)
        router.add_api_route("", self.show, methods=["GET"])
        router.add_api_route("/version", self.get_version, methods=["GET"])
        router.add_api_route("/replies", self.post_reply, methods=["POST"])
        return router

    async def show(self, request: Request, sent: str = "") -> Response:
        """The messages; ``sent`` is the note on a reply that was just sent."""
        phone = await find_phone(request, self._context)
        if phone is None:
            return unknown_phone_page(self._settings, request)
        token = token_of(request, self._settings)
        stored = await _read_messages(self._context, phone)
        warning = view.worker_warning(self._context.monitor.overview())
        recorded = view.list_messages(stored.rows, stored.answers, phone.locale)
        response = render_page(
            "messages.html",
            self._settings,
            words=words_for(phone.locale),
            messages=view.list_messages(
                stored.rows, stored.answers, phone.locale, sent=verify_reply(sent, token)
            ),
            phone=phone,
            version=view.content_version(recorded, warning),
            push_key=self._push_key,
            nonce=secrets.token_hex(16),
            form=question_form(phone.locale),
            warning=warning,
        )
        set_phone_cookie(response, self._settings, token)
        return response

    async def get_version(self, request: Request) -> Response:
        """The digest by which an open page knows whether there is anything new."""
        phone = await find_phone(request, self._context)
        if phone is None:
            raise RefusedError(403)
        stored = await _read_messages(self._context, phone)
        recorded = view.list_messages(stored.rows, stored.answers, phone.locale)
        warning = view.worker_warning(self._context.monitor.overview())
        return JSONResponse(
            {"version": view.content_version(recorded, warning)},
            headers={"Cache-Control": "no-store"},
        )

    async def post_reply(self, request: Request) -> Response:
        """Publish a reply and return to the messages."""
        require_same_origin(request, self._settings)
        phone = await find_phone(request, self._context)
        if phone is None:
            return unknown_phone_page(self._settings, request)
        fields = await read_form(request)
        sent = await _check_reply(self._context, phone, fields)
        action = Action(
            action_id=sent.action_id,
            episode_id=sent.episode_id,
            patient_id=phone.patient_id,
            actor="patient",
            verb=sent.verb,
            time=self._context.clock(),
        )
        try:
            await self._context.publish([wire.to_message(action, "dashboard")])
        except UnavailableError as error:
            log.warning("reply not sent", code=error.code, verb=sent.verb)
            return render_page(
                "unsent.html", self._settings, 503, words=words_for(phone.locale), fields=fields
            )
        note = sign_reply(sent, token_of(request, self._settings))
        return RedirectResponse(f"{PREFIX}?sent={quote(note, safe='~')}", 303)


async def _read_messages(context: WebContext, phone: Phone) -> _StoredMessages:
    """The patient's messages, and the answers to them."""
    with translated():
        async with context.pool.connection() as connection:
            rows = await phones.messages(connection, phone.patient_id, MAX_MESSAGES)
            events = [row["episode_id"] for row in rows]
            answers = await phones.answers(connection, phone.patient_id, events)
            return _StoredMessages(rows, answers)


async def _check_reply(context: WebContext, phone: Phone, fields: dict[str, str]) -> SentReply:
    """The reply in a form to a message of this patient.

    By the form's nonce a form that is sent twice is one action.

    Raises:
        RefusedError: the form is not valid, or not for a message of this patient.
    """
    episode_id, verb = fields.get("episode_id", ""), fields.get("verb", "")
    nonce = fields.get("nonce", "")
    if verb not in {"ok", "need_help"} or not _NONCE.fullmatch(nonce):
        raise RefusedError(400)
    stored = await _read_messages(context, phone)
    if episode_id not in {row["episode_id"] for row in stored.rows}:
        raise RefusedError(404)
    seed = ("reply", phone.phone_id, episode_id, verb, nonce)
    return SentReply(
        action_id=ids.derive(*seed),
        episode_id=episode_id,
        verb="ok" if verb == "ok" else "need_help",
    )
