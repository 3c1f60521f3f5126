"""Who is asking: the phone's cookie, the site that a request comes from, and what it may carry."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from fastapi import Request
from fastapi.responses import Response

from dashboard.phone.view import Sent
from dashboard.phone.words import Words, preferred
from store.database.connections import translated
from store.people import phones
from store.people.phones import Phone
from vigil.web.refusal import host_of

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from vigil.service.settings import Settings

LARGEST_BODY = 8192
KEPT_SECONDS = 400 * 86_400
"""Browsers keep no cookie longer; each visit renews it."""
_SENT = re.compile(r"([0-9a-f-]{36})~([0-9a-f-]{36})~(ok|need_help)~([0-9a-f]{64})")


class RefusedError(Exception):
    """A request that no page of ours makes."""

    def __init__(self, status: int):
        super().__init__(status)
        self.status = status


def secure(settings: Settings) -> bool:
    """Whether people reach us over HTTPS."""
    return settings.public_url.startswith("https://")


def cookie_name(settings: Settings) -> str:
    """The phone's cookie. ``__Host-`` ties it to this very host, where there is HTTPS."""
    return "__Host-vigil_phone" if secure(settings) else "vigil_phone"


def remember(response: Response, settings: Settings, token: str) -> None:
    """Give the phone its token, or renew it."""
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=KEPT_SECONDS,
        path="/",
        httponly=True,
        secure=secure(settings),
        samesite="lax",
    )


def forget(response: Response, settings: Settings) -> None:
    """Take the token away."""
    response.delete_cookie(
        cookie_name(settings), path="/", secure=secure(settings), httponly=True, samesite="lax"
    )


def spoken_by(request: Request) -> Words:
    """The words for somebody whom we do not know: in the language that their browser asks for."""
    return preferred(request.headers.get("accept-language", ""))


def token_of(request: Request, settings: Settings) -> str:
    """The token that the request carries, or an empty text."""
    return request.cookies.get(cookie_name(settings), "")


async def phone_of(request: Request, context: WebContext) -> Phone | None:
    """The enrolled phone that asks; None: a stranger.

    Raises:
        UnavailableError: the database is away.
    """
    token = token_of(request, context.settings)
    if not token:
        return None
    with translated():
        async with context.pool.connection() as connection:
            return await phones.phone_by_token(connection, token)


def require_same_origin(request: Request, settings: Settings) -> None:
    """Refuse what another site's page asks for in this browser's name.

    Raises:
        RefusedError: the request does not say that it comes from a page of ours.
    """
    origin = request.headers.get("origin", "")
    own = {request.headers.get("host"), urlsplit(settings.public_url).netloc} - {None, ""}
    if host_of(origin) not in own:
        raise RefusedError(403)


async def small_body(request: Request) -> bytes:
    """The body.

    Raises:
        RefusedError: it is larger than anything that our pages send.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise RefusedError(413)
    return bytes(body)


async def small_form(request: Request) -> dict[str, str]:
    """The fields of a form; of a repeated one, the first.

    Raises:
        RefusedError: it is not such a form.
    """
    try:
        text = (await small_body(request)).decode()
        fields = parse_qs(text, max_num_fields=20)
    except ValueError:
        raise RefusedError(400) from None
    return {name: values[0] for name, values in fields.items()}


def seal(sent: Sent, token: str) -> str:
    """A note, for the address of the next page, that a reply was taken; only we can write it."""
    text = f"{sent.action_id}~{sent.event_id}~{sent.verb}"
    return f"{text}~{_signature(text, token)}"


def unseal(note: str, token: str) -> Sent | None:
    """The reply that a note tells of; None: it is not our note, or not to this phone."""
    found = _SENT.fullmatch(note)
    if found is None:
        return None
    action_id, event_id, verb, signature = found.groups()
    text = f"{action_id}~{event_id}~{verb}"
    if not hmac.compare_digest(signature, _signature(text, token)):
        return None
    return Sent(action_id, event_id, "ok" if verb == "ok" else "need_help")


def _signature(text: str, token: str) -> str:
    return hmac.new(token.encode(), text.encode(), sha256).hexdigest()
