"""Routes for the page's script and its service worker: subscriptions, receipts, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from dashboard.phone.access import (
    RefusedError,
    find_phone,
    read_body,
    requested_words,
    require_same_origin,
)
from dashboard.phone.pages import HEADERS, STATIC, render_page
from dashboard.phone.routing import PREFIX, phone_router
from store.database.connections import translated
from store.people import phones
from store.people.phones import Phone, Subscription
from vigil.web.web_push import endpoint_allowed, keys_usable

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext


class BrowserKeys(msgspec.Struct, frozen=True):
    """A browser's keys (RFC 8291)."""

    p256dh: str
    auth: str


class BrowserSubscription(msgspec.Struct, frozen=True):
    """The result of ``PushSubscription.toJSON()``."""

    endpoint: str
    keys: BrowserKeys


def routes(context: WebContext) -> APIRouter:
    """``/phone/subscriptions``, ``/phone/receipts/…``, and the installed app's files."""
    router = PushRoutes(context).router()
    _add_files(router, context)
    return router


class PushRoutes:
    """Subscriptions to push messages, and receipts of them."""

    def __init__(self, context: WebContext):
        self._context, self._settings = context, context.settings

    def router(self) -> APIRouter:
        """Their routes."""
        router = phone_router(self._settings)
        router.add_api_route("/subscriptions", self.subscribe, methods=["POST"])
        router.add_api_route("/subscriptions", self.unsubscribe, methods=["DELETE"])
        router.add_api_route("/receipts/{delivery_id}", self.record_receipt, methods=["POST"])
        return router

    async def _enrolled(self, request: Request) -> Phone:
        """The phone that sent the request.

        Raises:
            RefusedError: it is not enrolled, or the request is another site's.
        """
        require_same_origin(request, self._settings)
        phone = await find_phone(request, self._context)
        if phone is None:
            raise RefusedError(403)
        return phone

    async def subscribe(self, request: Request) -> Response:
        """Store the browser's subscription."""
        phone = await self._enrolled(request)
        offered = _decode_subscription(await read_body(request))
        if not endpoint_allowed(offered.endpoint, self._settings.push_hosts):
            return JSONResponse({"error": "a push service that is not in VIGIL_PUSH_HOSTS"}, 422)
        if not keys_usable(offered.keys.p256dh, offered.keys.auth):
            return JSONResponse({"error": "keys that cannot be used"}, 422)
        subscription = Subscription(
            endpoint=offered.endpoint, p256dh=offered.keys.p256dh, auth=offered.keys.auth
        )
        with translated():
            async with self._context.pool.connection() as connection:
                await phones.subscribe(
                    connection, phone.phone_id, subscription, now=self._context.clock()
                )
        return Response(status_code=201)

    async def unsubscribe(self, request: Request) -> Response:
        """Remove the browser's subscription."""
        phone = await self._enrolled(request)
        with translated():
            async with self._context.pool.connection() as connection:
                await phones.unsubscribe(
                    connection, phone.phone_id, because="turned off", now=self._context.clock()
                )
        return Response(status_code=204)

    async def record_receipt(self, delivery_id: str, request: Request) -> Response:
        """Record that the browser has shown a push message."""
        phone = await self._enrolled(request)
        with translated():
            async with self._context.pool.connection() as connection:
                recorded = await phones.record_receipt(
                    connection, delivery_id, phone.phone_id, now=self._context.clock()
                )
        return Response(status_code=204 if recorded else 404)


def _add_files(router: APIRouter, context: WebContext) -> None:
    fresh = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}

    @router.get("/sw.js")
    async def service_worker() -> Response:
        scope = {**HEADERS, **fresh, "Service-Worker-Allowed": PREFIX}
        return FileResponse(STATIC / "sw.js", media_type="text/javascript", headers=scope)

    @router.get("/manifest.webmanifest")
    async def manifest() -> Response:
        path = STATIC / "manifest.webmanifest"
        return FileResponse(path, media_type="application/manifest+json", headers=fresh)

    @router.get("/offline")
    async def offline(request: Request) -> Response:
        """The page without personal data that the service worker shows without a connection."""
        return render_page("offline.html", context.settings, words=requested_words(request))


def _decode_subscription(body: bytes) -> BrowserSubscription:
    try:
        return msgspec.json.decode(body, type=BrowserSubscription)
    except msgspec.DecodeError:
        raise RefusedError(400) from None
