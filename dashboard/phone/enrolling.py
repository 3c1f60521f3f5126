"""Making a phone the patient's, by a link that works once, and letting it go again."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.auth.attempts import Places, source
from dashboard.phone.door import (
    RefusedError,
    forget,
    phone_of,
    remember,
    require_same_origin,
    small_form,
    spoken_by,
    token_of,
)
from dashboard.phone.pages import notice, page
from dashboard.phone.routing import PREFIX, router
from dashboard.phone.words import Words, words
from store.database.connections import translated
from store.people import phones
from store.people.phones import Link, Phone

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from vigil.service.settings import Settings

_CODE = re.compile(r"(?:.*/phone/enrol/)?([A-Za-z0-9_-]{20,100})/?")


def routes(context: WebContext) -> APIRouter:
    """``/phone/enrol…`` and ``/phone/leave``."""
    here, settings = router(context.settings), context.settings
    strangers = Places(monotonic)

    def unknown(request: Request, phone: Phone | None) -> Response:
        """No link. Whoever tries many is turned away; a code has 256 bits, none will be right."""
        place = source(request.client.host if request.client else "")
        strangers.failed(place)
        if strangers.delay(place):
            raise RefusedError(429)
        return _dead_link(settings, "unknown", phone, spoken_by(request))

    @here.get("/enrol")
    async def pasted(request: Request, link: str = "") -> Response:
        """A link that was pasted: the app on a home screen cannot be opened by one."""
        found = _CODE.fullmatch(link.strip())
        if found is None:
            return unknown(request, None)
        return RedirectResponse(f"{PREFIX}/enrol/{found[1]}", 303)

    @here.get("/enrol/{code}")
    async def ask(code: str, request: Request) -> Response:
        """Only asks: whatever looks at links before a person does must not use it up."""
        with translated():
            async with context.pool.connection() as connection:
                link = await phones.link_status(connection, code, context.clock())
        if link != "open":
            phone = await phone_of(request, context)
            if link == "unknown":
                return unknown(request, phone)
            return _dead_link(settings, link, phone, spoken_by(request))
        return page("enrol.html", settings, words=spoken_by(request), code=code)

    @here.post("/enrol/{code}")
    async def use(code: str, request: Request) -> Response:
        require_same_origin(request, settings)
        before = await phone_of(request, context)
        now = context.clock()
        with translated():
            async with context.pool.connection() as connection:
                token = await phones.redeem(connection, code, now, replaced=before)
                link = await phones.link_status(connection, code, now) if token is None else "open"
        if token is None:
            if link == "unknown":
                return unknown(request, before)
            return _dead_link(settings, link, before, spoken_by(request))
        response = RedirectResponse(PREFIX, 303)
        remember(response, settings, token)
        return response

    @here.post("/leave")
    async def leave(request: Request) -> Response:
        require_same_origin(request, settings)
        await small_form(request)
        phone = await phone_of(request, context)
        if phone is not None:
            with translated():
                async with context.pool.connection() as connection:
                    await phones.revoke(connection, phone.phone_id, "left", context.clock())
        spoken = words(phone.locale) if phone else spoken_by(request)
        response = notice(settings, 200, spoken.left_title, spoken.left, words=spoken)
        if token_of(request, settings):
            forget(response, settings)
        return response

    return here


def stranger(settings: Settings, request: Request) -> Response:
    """What a phone that is not enrolled sees."""
    w = spoken_by(request)
    return notice(settings, 403, w.stranger_title, w.stranger, words=w, paste=True)


def _dead_link(settings: Settings, link: Link, phone: Phone | None, spoken: Words) -> Response:
    """Why a link does not work. One that was open when asked has been used since."""
    w = words(phone.locale) if phone else spoken
    on = (PREFIX, w.to_messages) if phone else None
    if link == "unknown":
        return notice(settings, 404, w.unknown_title, w.unknown, link=on, words=w, paste=not phone)
    if link == "expired":
        return notice(settings, 410, w.expired_title, w.expired, link=on, words=w)
    return notice(settings, 410, w.used_title, w.used, link=on, words=w)
