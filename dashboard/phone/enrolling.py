"""Enrolling a patient's phone by a link that works once, and removing it again."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.auth.attempts import FailureRates, network_of
from dashboard.phone.access import (
    RefusedError,
    clear_phone_cookie,
    find_phone,
    read_form,
    requested_words,
    require_same_origin,
    set_phone_cookie,
    token_of,
)
from dashboard.phone.pages import PageLink, render_notice, render_page
from dashboard.phone.routing import PREFIX, phone_router
from dashboard.phone.words import Words, words_for
from store.database.connections import translated
from store.people import phones
from store.people.phones import Link, Phone

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from vigil.service.settings import Settings

_CODE = re.compile(r"(?:.*/phone/enrol/)?([A-Za-z0-9_-]{20,100})/?")


def routes(context: WebContext) -> APIRouter:
    """``/phone/enrol…`` and ``/phone/leave``."""
    return EnrolmentPages(context).router()


class EnrolmentPages:
    """The pages of enrolment links."""

    def __init__(self, context: WebContext):
        self._context, self._settings = context, context.settings
        self._unknown_links = FailureRates(monotonic)

    def router(self) -> APIRouter:
        """Their routes."""
        router = phone_router(self._settings)
        router.add_api_route("/enrol", self.open_pasted, methods=["GET"])
        router.add_api_route("/enrol/{code}", self.confirm, methods=["GET"])
        router.add_api_route("/enrol/{code}", self.redeem, methods=["POST"])
        router.add_api_route("/leave", self.leave, methods=["POST"])
        return router

    async def open_pasted(self, request: Request, link: str = "") -> Response:
        """Redirect to a pasted link: an app on a home screen cannot be opened by a link."""
        found = _CODE.fullmatch(link.strip())
        if found is None:
            return self._unknown_link(request, None)
        return RedirectResponse(f"{PREFIX}/enrol/{found[1]}", 303)

    async def confirm(self, code: str, request: Request) -> Response:
        """Ask only: programs that open links before a person does must not use the link up."""
        with translated():
            async with self._context.pool.connection() as connection:
                link = await phones.link_status(connection, code, self._context.clock())
        if link != "open":
            return self._link_error(request, link, await find_phone(request, self._context))
        return render_page("enrol.html", self._settings, words=requested_words(request), code=code)

    async def redeem(self, code: str, request: Request) -> Response:
        """Enrol the phone."""
        require_same_origin(request, self._settings)
        before = await find_phone(request, self._context)
        now = self._context.clock()
        with translated():
            async with self._context.pool.connection() as connection:
                token = await phones.redeem(connection, code, now, replaced=before)
                link = await phones.link_status(connection, code, now) if token is None else "open"
        if token is None:
            return self._link_error(request, link, before)
        response = RedirectResponse(PREFIX, 303)
        set_phone_cookie(response, self._settings, token)
        return response

    async def leave(self, request: Request) -> Response:
        """Remove the phone."""
        require_same_origin(request, self._settings)
        await read_form(request)
        phone = await find_phone(request, self._context)
        if phone is not None:
            with translated():
                async with self._context.pool.connection() as connection:
                    await phones.revoke(
                        connection, phone.phone_id, because="left", now=self._context.clock()
                    )
        w = words_for(phone.locale) if phone else requested_words(request)
        response = render_notice(self._settings, 200, title=w.left_title, lines=[w.left], words=w)
        if token_of(request, self._settings):
            clear_phone_cookie(response, self._settings)
        return response

    def _link_error(self, request: Request, link: Link, phone: Phone | None) -> Response:
        if link == "unknown":
            return self._unknown_link(request, phone)
        return _link_error_page(self._settings, link, phone, unknown=requested_words(request))

    def _unknown_link(self, request: Request, phone: Phone | None) -> Response:
        """The page of an unknown link; many tries of one network are refused. A code has 256 bits,
        so that none is guessed.
        """
        network = network_of(request.client.host if request.client else "")
        self._unknown_links.record_failure(network)
        if self._unknown_links.delay(network):
            raise RefusedError(429)
        return _link_error_page(self._settings, "unknown", phone, unknown=requested_words(request))


def unknown_phone_page(settings: Settings, request: Request) -> Response:
    """The page for a phone that is not enrolled."""
    w = requested_words(request)
    return render_notice(
        settings, 403, title=w.not_connected_title, lines=[w.not_connected], words=w, paste=True
    )


def _link_error_page(
    settings: Settings, link: Link, phone: Phone | None, *, unknown: Words
) -> Response:
    """Why a link does not work. One that was open when asked has been used since.

    Args:
        unknown: the words for a phone that is not enrolled.
    """
    w = words_for(phone.locale) if phone else unknown
    status, title, line = {
        "unknown": (404, w.unknown_title, w.unknown),
        "expired": (410, w.expired_title, w.expired),
    }.get(link, (410, w.used_title, w.used))
    return render_notice(
        settings,
        status,
        title=title,
        lines=[line],
        words=w,
        link=PageLink(PREFIX, w.to_messages) if phone else None,
        paste=link == "unknown" and not phone,
    )
