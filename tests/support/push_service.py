"""A push service of the tests' own (RFC 8030), which is also the browser that holds the keys.

It takes real requests over HTTP, checks the VAPID signature (RFC 8292), decrypts the message
(RFC 8291, aes128gcm) with the keys that it handed out, and keeps what it got. On demand it answers
as services do on a bad day: 404, 410, 413, 429, 500, or slowly.

    with PushService() as push:
        subscription = push.subscription()   # {"endpoint": ..., "keys": {"p256dh", "auth"}}
        ...
        [message] = push.wait(1)
        message.payload["title"]
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_bytes, token_urlsafe
from types import TracebackType
from typing import Any, Self

import http_ece
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.timeouts import TIMEOUT

LARGEST_BODY = 4096
DAY_SECONDS = 86_400


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Answer:
    """How to answer one request instead of accepting it."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0


@dataclass(frozen=True)
class Pushed:
    """A message that arrived, decrypted."""

    token: str
    """Which subscription: the last part of its endpoint."""
    payload: dict[str, Any]
    headers: dict[str, str]
    """Lower case."""
    claims: dict[str, Any]
    """Of the VAPID token."""
    status: int
    """What was answered."""


@dataclass(frozen=True)
class _Browser:
    private_key: ec.EllipticCurvePrivateKey
    auth: bytes
    application_key: str | None


class PushService:
    """The service; use it in a ``with``. Thread-safe."""

    def __init__(self) -> None:
        self._browsers: dict[str, _Browser] = {}
        self._answers: deque[Answer] = deque()
        self._messages: list[Pushed] = []
        self._refused: list[str] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def subscription(self, application_key: str | None = None) -> dict[str, Any]:
        """A new subscription, as ``PushSubscription.toJSON()`` gives it.

        Args:
            application_key: the VAPID public key that it is bound to; another is refused.
        """
        token = token_urlsafe(24)
        key = ec.generate_private_key(ec.SECP256R1())
        browser = _Browser(key, token_bytes(16), application_key)
        self._browsers[token] = browser
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "endpoint": f"{self.url}/push/{token}",
            "expirationTime": None,
            "keys": {"p256dh": _b64(point), "auth": _b64(browser.auth)},
        }

    def answer(self, *answers: Answer | int) -> None:
        """Answer the next well-formed requests so, one each; afterwards 201 again."""
        self._answers.extend(a if isinstance(a, Answer) else Answer(a) for a in answers)

    @property
    def messages(self) -> list[Pushed]:
        """Every message so far that could be decrypted, whatever it was answered."""
        with self._changed:
            return list(self._messages)

    @property
    def refused(self) -> list[str]:
        """Why requests were refused as ill-formed: none, when the sender keeps to the RFCs."""
        with self._changed:
            return list(self._refused)

    def wait(self, count: int, seconds: float = TIMEOUT) -> list[Pushed]:
        """Wait for ``count`` accepted messages and return all accepted ones, oldest first."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                accepted = [m for m in self._messages if m.status == 201]
                if len(accepted) >= count:
                    return accepted
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(
                        f"{len(accepted)} of {count} push messages came in {seconds} s;"
                        f" answered {[m.status for m in self._messages]}, refused {self._refused}"
                    )
                self._changed.wait(left)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Answer one POST, as RFC 8030 §5 says."""
        try:
            token, browser = self._find(path)
            self._check_headers(headers, body)
            claims = self._check_vapid(headers, browser)
            payload = self._decrypt(browser, body)
        except _RefusedError as refusal:
            with self._changed:
                self._refused.append(refusal.why)
            return Answer(refusal.status)
        with self._changed:
            answer = self._answers.popleft() if self._answers else Answer(201)
            self._messages.append(Pushed(token, payload, headers, claims, answer.status))
            self._changed.notify_all()
        return answer

    def _find(self, path: str) -> tuple[str, _Browser]:
        token = path.removeprefix("/push/")
        if token not in self._browsers:
            raise _RefusedError(404, f"no subscription {path}")
        return token, self._browsers[token]

    @staticmethod
    def _check_headers(headers: dict[str, str], body: bytes) -> None:
        if not headers.get("ttl", "").isdigit():
            raise _RefusedError(400, "no TTL header (RFC 8030 §5.2)")
        if headers.get("content-encoding") != "aes128gcm":
            raise _RefusedError(415, "content-encoding is not aes128gcm (RFC 8291 §4)")
        if headers.get("urgency", "normal") not in {"very-low", "low", "normal", "high"}:
            raise _RefusedError(400, "no such urgency (RFC 8030 §5.3)")
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,32}", headers.get("topic", "")):
            raise _RefusedError(400, "topic is not 32 characters of base64url (RFC 8030 §5.4)")
        if len(body) > LARGEST_BODY:
            raise _RefusedError(413, "body larger than 4096 bytes (RFC 8030 §7.2)")

    def _check_vapid(self, headers: dict[str, str], browser: _Browser) -> dict[str, Any]:
        found = re.fullmatch(
            r"vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), ?k=([\w-]+)", headers.get("authorization", "")
        )
        if not found:
            raise _RefusedError(401, "no vapid token (RFC 8292 §3)")
        head, claims_text, signature, key = found.groups()
        if browser.application_key not in {None, key}:
            raise _RefusedError(
                403, "not the application server of this subscription (RFC 8292 §4)"
            )
        if json.loads(_unb64(head)).get("alg") != "ES256":
            raise _RefusedError(401, "not signed with ES256 (RFC 8292 §2)")
        raw = _unb64(signature)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _unb64(key))
        try:
            public.verify(
                utils.encode_dss_signature(r, s),
                f"{head}.{claims_text}".encode(),
                ec.ECDSA(hashes.SHA256()),
            )
        except InvalidSignature:
            raise _RefusedError(403, "the vapid signature is not of this key") from None
        claims: dict[str, Any] = json.loads(_unb64(claims_text))
        if claims.get("aud") != self.url:
            raise _RefusedError(403, f"aud is {claims.get('aud')!r} (RFC 8292 §2)")
        if not time.time() < claims.get("exp", 0) <= time.time() + DAY_SECONDS:
            raise _RefusedError(403, "exp is not within 24 hours (RFC 8292 §2)")
        if not str(claims.get("sub", "")).startswith(("mailto:", "https:")):
            raise _RefusedError(403, "sub is neither mailto: nor https: (RFC 8292 §2.1)")
        return claims

    @staticmethod
    def _decrypt(browser: _Browser, body: bytes) -> dict[str, Any]:
        try:
            plain = http_ece.decrypt(
                body,
                private_key=browser.private_key,
                auth_secret=browser.auth,
                version="aes128gcm",
            )
        except http_ece.ECEException as error:
            raise _RefusedError(400, f"cannot be decrypted: {error}") from None
        payload: dict[str, Any] = json.loads(plain)
        return payload

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = service.take(self.path, headers, body)
                time.sleep(answer.delay_seconds)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status == 201:
                    self.send_header("Location", f"{service.url}/message/{token_urlsafe(8)}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (theirs)
                """Quiet."""

        return Handler


class _RefusedError(Exception):
    def __init__(self, status: int, why: str):
        super().__init__(why)
        self.status = status
        self.why = why
