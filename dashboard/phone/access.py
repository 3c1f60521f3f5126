"""Access to the patient's pages: the phone's cookie, the origin and the size of a request."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from fastapi import Request
from fastapi.responses import Response

from dashboard.phone.view import SentReply
from dashboard.phone.words import Words, preferred_words
from dashboard.shell.cookies import delete_cookie, host_cookie, set_cookie
from store.database.connections import translated
from store.people import phones
from store.people.phones import Phone
from vigil.web.refusal import host_of

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from vigil.service.settings import Settings

MAX_BODY_BYTES = 8192
COOKIE_SECONDS = 400 * 86_400
"""Browsers keep no cookie longer; each visit renews it."""
_SENT = re.compile(r"([0-9a-f-]{36})~([0-9a-f-]{36})~(ok|need_help)~([0-9a-f]{64})")


class RefusedError(Exception):
    """A request that no page of Vigil makes."""

    def __init__(self, status: int):
        super().__init__(status)
        self.status = status


def cookie_name(settings: Settings) -> str:
    """The name of the phone's cookie."""
    return host_cookie(settings, "vigil_phone")


def set_phone_cookie(response: Response, settings: Settings, token: str) -> None:
    """Set or renew the phone's token."""
    set_cookie(
        response,
        settings,
        name=cookie_name(settings),
        value=token,
        same_site="lax",
        max_age=COOKIE_SECONDS,
    )


def clear_phone_cookie(response: Response, settings: Settings) -> None:
    """Delete the phone's token."""
    delete_cookie(response, settings, cookie_name(settings))


def requested_words(request: Request) -> Words:
    """The words for an unknown visitor, in the language that their browser asks for."""
    return preferred_words(request.headers.get("accept-language", ""))


def token_of(request: Request, settings: Settings) -> str:
    """The token that the request carries, or an empty text."""
    return request.cookies.get(cookie_name(settings), "")


async def find_phone(request: Request, context: WebContext) -> Phone | None:
    """The enrolled phone that sent the request; None: an unknown visitor.

    Raises:
        UnavailableError: the database is unavailable.
    """
    token = token_of(request, context.settings)
    if not token:
        return None
    with translated():
        async with context.pool.connection() as connection:
            return await phones.phone_by_token(connection, token)


def require_same_origin(request: Request, settings: Settings) -> None:
    """Refuse requests that another site's page makes in this browser.

    Raises:
        RefusedError: the request does not have the origin of a page of Vigil.
    """
    origin = request.headers.get("origin", "")
    own = {request.headers.get("host"), urlsplit(settings.public_url).netloc} - {None, ""}
    if host_of(origin) not in own:
        raise RefusedError(403)


async def read_body(request: Request) -> bytes:
    """Read the body.

    Raises:
        RefusedError: it is larger than anything that our pages send.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise RefusedError(413)
    return bytes(body)


async def read_form(request: Request) -> dict[str, str]:
    """Read the fields of a form; of a repeated field, the first.

    Raises:
        RefusedError: the body is not a form.
    """
    try:
        text = (await read_body(request)).decode()
        fields = parse_qs(text, max_num_fields=20)
    except ValueError:
        raise RefusedError(400) from None
    found = {name: values[0] for name, values in fields.items()}
    if "event_id" in found:  # of a page that was open during an upgrade, for one release
        found.setdefault("episode_id", found.pop("event_id"))
    return found


def sign_reply(sent: SentReply, token: str) -> str:
    """A signed note for the address of the next page that a reply was sent."""
    text = f"{sent.action_id}~{sent.episode_id}~{sent.verb}"
    return f"{text}~{_signature(text, token)}"


def verify_reply(note: str, token: str) -> SentReply | None:
    """The reply of a note; None: the note is not ours, or not for this phone."""
    found = _SENT.fullmatch(note)
    if found is None:
        return None
    action_id, episode_id, verb, signature = found.groups()
    text = f"{action_id}~{episode_id}~{verb}"
    if not hmac.compare_digest(signature, _signature(text, token)):
        return None
    return SentReply(
        action_id=action_id, episode_id=episode_id, verb="ok" if verb == "ok" else "need_help"
    )


def _signature(text: str, token: str) -> str:
    return hmac.new(token.encode(), text.encode(), sha256).hexdigest()
