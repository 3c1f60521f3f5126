"""The patient's messages, and their answers to them."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from dashboard.phone import view
from dashboard.phone.asking import SHOWN, asks
from dashboard.phone.door import (
    RefusedError,
    phone_of,
    remember,
    require_same_origin,
    seal,
    small_form,
    token_of,
    unseal,
)
from dashboard.phone.enrolling import stranger
from dashboard.phone.pages import page
from dashboard.phone.routing import PREFIX, router
from dashboard.phone.view import Sent
from dashboard.phone.words import words
from dashboard.shell.publishing import publish
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


def routes(context: WebContext) -> APIRouter:
    """``/phone``, ``/phone/version`` and ``/phone/replies``."""
    here, settings = router(context.settings), context.settings
    private = private_key(settings)
    push_key = public_key(private) if private else ""

    @here.get("")
    async def read(request: Request, sent: str = "") -> Response:
        phone = await phone_of(request, context)
        if phone is None:
            return stranger(settings, request)
        token = token_of(request, settings)
        rows, answers = await _rows(context, phone)
        warning = view.warning(context.monitor.overview())
        shown = view.messages(rows, answers, phone.locale, unseal(sent, token))
        recorded = view.messages(rows, answers, phone.locale)
        response = page(
            "messages.html",
            settings,
            words=words(phone.locale),
            messages=shown,
            phone=phone,
            version=view.version(recorded, warning),
            push_key=push_key,
            nonce=secrets.token_hex(16),
            asks=asks(phone.locale),
            warning=warning,
        )
        remember(response, settings, token)
        return response

    @here.get("/version")
    async def version(request: Request) -> Response:
        """What an open page asks now and then: is there anything new?"""
        phone = await phone_of(request, context)
        if phone is None:
            raise RefusedError(403)
        recorded = view.messages(*await _rows(context, phone), phone.locale)
        warning = view.warning(context.monitor.overview())
        return JSONResponse(
            {"version": view.version(recorded, warning)}, headers={"Cache-Control": "no-store"}
        )

    @here.post("/replies")
    async def reply(request: Request) -> Response:
        require_same_origin(request, settings)
        phone = await phone_of(request, context)
        if phone is None:
            return stranger(settings, request)
        fields = await small_form(request)
        sent = await _checked(context, phone, fields)
        action = Action(
            sent.action_id, sent.event_id, phone.patient_id, "patient", sent.verb, context.clock()
        )
        try:
            await publish(context, [wire.outgoing(action, "dashboard")])
        except UnavailableError as error:
            log.warning("reply not sent", code=error.code, verb=sent.verb)
            return page("unsent.html", settings, 503, words(phone.locale), fields=fields)
        note = seal(sent, token_of(request, settings))
        return RedirectResponse(f"{PREFIX}?sent={quote(note, safe='~')}", 303)

    return here


async def _rows(
    context: WebContext, phone: Phone
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The patient's messages, and the answers to them."""
    with translated():
        async with context.pool.connection() as connection:
            rows = await phones.messages(connection, phone.patient_id, SHOWN)
            events = [row["event_id"] for row in rows]
            return rows, await phones.answers(connection, phone.patient_id, events)


async def _checked(context: WebContext, phone: Phone, fields: dict[str, str]) -> Sent:
    """The reply in a form, if it is to a message that this patient can see.

    The form's nonce makes a form that is sent twice one action.

    Raises:
        RefusedError: no page of ours has such a form.
    """
    event_id, verb = fields.get("event_id", ""), fields.get("verb", "")
    nonce = fields.get("nonce", "")
    if verb not in {"ok", "need_help"} or not _NONCE.fullmatch(nonce):
        raise RefusedError(400)
    rows, _ = await _rows(context, phone)
    if event_id not in {row["event_id"] for row in rows}:
        raise RefusedError(404)
    action_id = ids.derive("reply", phone.phone_id, event_id, verb, nonce)
    return Sent(action_id, event_id, "ok" if verb == "ok" else "need_help")
