"""What the page's script and its service worker ask: subscriptions, receipts, their own files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from dashboard.phone.door import (
    RefusedError,
    phone_of,
    require_same_origin,
    small_body,
    spoken_by,
)
from dashboard.phone.pages import HEADERS, STATIC, page
from dashboard.phone.routing import PREFIX, router
from store.database.connections import translated
from store.people import phones
from store.people.phones import Phone, Subscription
from vigil.web.web_push import endpoint_allowed, keys_usable

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext


class Keys(msgspec.Struct, frozen=True):
    """A browser's keys (RFC 8291)."""

    p256dh: str
    auth: str


class Offered(msgspec.Struct, frozen=True):
    """What ``PushSubscription.toJSON()`` gives."""

    endpoint: str
    keys: Keys


def routes(context: WebContext) -> APIRouter:
    """``/phone/subscriptions``, ``/phone/receipts/…``, and the installed app's files."""
    here, settings = router(context.settings), context.settings

    async def known(request: Request) -> Phone:
        require_same_origin(request, settings)
        phone = await phone_of(request, context)
        if phone is None:
            raise RefusedError(403)
        return phone

    @here.post("/subscriptions")
    async def subscribe(request: Request) -> Response:
        phone = await known(request)
        offered = _offered(await small_body(request))
        if not endpoint_allowed(offered.endpoint, settings.push_hosts):
            return JSONResponse({"error": "a push service that is not in VIGIL_PUSH_HOSTS"}, 422)
        if not keys_usable(offered.keys.p256dh, offered.keys.auth):
            return JSONResponse({"error": "keys that cannot be used"}, 422)
        subscription = Subscription(offered.endpoint, offered.keys.p256dh, offered.keys.auth)
        with translated():
            async with context.pool.connection() as connection:
                await phones.subscribe(connection, phone.phone_id, subscription, context.clock())
        return Response(status_code=201)

    @here.delete("/subscriptions")
    async def unsubscribe(request: Request) -> Response:
        phone = await known(request)
        with translated():
            async with context.pool.connection() as connection:
                await phones.unsubscribe(connection, phone.phone_id, "turned off", context.clock())
        return Response(status_code=204)

    @here.post("/receipts/{delivery_id}")
    async def shown(delivery_id: str, request: Request) -> Response:
        phone = await known(request)
        with translated():
            async with context.pool.connection() as connection:
                noted = await phones.record_receipt(
                    connection, delivery_id, phone.phone_id, context.clock()
                )
        return Response(status_code=204 if noted else 404)

    _files(here, context)
    return here


def _files(here: APIRouter, context: WebContext) -> None:
    fresh = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}

    @here.get("/sw.js")
    async def service_worker() -> Response:
        scope = {**HEADERS, **fresh, "Service-Worker-Allowed": PREFIX}
        return FileResponse(STATIC / "sw.js", media_type="text/javascript", headers=scope)

    @here.get("/manifest.webmanifest")
    async def manifest() -> Response:
        path = STATIC / "manifest.webmanifest"
        return FileResponse(path, media_type="application/manifest+json", headers=fresh)

    @here.get("/offline")
    async def offline(request: Request) -> Response:
        """What the service worker keeps for when there is no connection; about nobody."""
        return page("offline.html", context.settings, words=spoken_by(request))


def _offered(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body, type=Offered)
    except msgspec.DecodeError:
        raise RefusedError(400) from None
