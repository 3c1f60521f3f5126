"""What both sides of Web Push need: the VAPID key pair, and which endpoints may be called.

The web process hands a browser the public key; the notify worker signs with the private one
(RFC 8292). Both must agree on which endpoints are taken: an endpoint is a URL that a stranger's
browser names and that our server then calls, so it is held to a list of hosts.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vigil.service.errors import SettingsError

if TYPE_CHECKING:
    from vigil.service.settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_KEY_BYTES = 32
_POINT_BYTES = 65
_AUTH_BYTES = 16
_TOPIC_BYTES = 24
"""192 bits: the 32 characters that the header may have."""
_LONGEST_ENDPOINT = 2000


def encode_key(raw: bytes) -> str:
    """Base64url without padding, as RFC 8292 spells keys.

    >>> encode_key(b"vigil")
    'dmlnaWw'
    """
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_key(text: str) -> bytes:
    """The bytes of an unpadded (or padded) base64url text.

    Raises:
        ValueError: it is not base64url.

    >>> decode_key("dmlnaWw")
    b'vigil'
    """
    bare = text.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)


def new_private_key() -> str:
    """A new VAPID private key: the 32-byte scalar of P-256, base64url."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return encode_key(number.to_bytes(_KEY_BYTES, "big"))


def private_key(settings: Settings) -> str | None:
    """The VAPID private key as set, checked; None: there is none, and so no Web Push.

    Raises:
        SettingsError: it is set, and is not such a key.
    """
    if settings.vapid_private_key is None or not settings.vapid_private_key.get_secret_value():
        return None
    text = settings.vapid_private_key.get_secret_value().strip()
    try:
        public_key(text)
    except ValueError:
        raise SettingsError(
            "It is not a P-256 private key of 32 bytes in base64url.",
            code="settings.invalid",
            field="VIGIL_VAPID_PRIVATE_KEY",
            how_to_fix="`vigil notify keys` makes one.",
        ) from None
    return text


def public_key(private: str) -> str:
    """The public key of a private one: an uncompressed P-256 point, base64url.

    A browser takes it as ``applicationServerKey``.

    Raises:
        ValueError: not a private key.

    >>> public_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE")[:24]
    'BGsX0fLhLEJH-Lzm5WOkQPJ3'
    """
    raw = decode_key(private)
    if len(raw) != _KEY_BYTES:
        raise ValueError("a private key has 32 bytes")
    key = ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return encode_key(point)


def topic_key(private: str) -> bytes:
    """The secret behind every ``Topic`` header, derived from the VAPID private key (RFC 5869).

    So every ``notify`` process has the same one, before and after a restart, and nothing more has
    to be kept secret. A new VAPID key gives new topics: each subscription is made anew then anyway.

    Raises:
        ValueError: not a private key.
    """
    raw = decode_key(private)
    if len(raw) != _KEY_BYTES:
        raise ValueError("a private key has 32 bytes")
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"vigil web push topic v1").derive(raw)


def topic(key: bytes, subscription_id: str, alert_id: str) -> str:
    """The ``Topic`` of an alert's messages to a phone (RFC 8030 §5.4): 32 characters of base64url.

    The same for the same alert and phone; without the key it can neither be made nor checked, nor
    two phones be seen to be of one patient.

    >>> first = topic(b"k" * 32, "s1", "a1")
    >>> len(first), first == topic(b"k" * 32, "s1", "a1"), first == topic(b"K" * 32, "s1", "a1")
    (32, True, False)
    """
    about = f"{subscription_id}\0{alert_id}".encode()
    return encode_key(hmac.digest(key, about, "sha256")[:_TOPIC_BYTES])


def keys_usable(p256dh: str, auth: str) -> bool:
    """Whether a subscription's keys can encrypt a message (RFC 8291 §3.1).

    ``p256dh`` is an uncompressed point of P-256, ``auth`` 16 bytes, both base64url.

    >>> point = public_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE")
    >>> keys_usable(point, encode_key(b"x" * 16))
    True
    >>> keys_usable("BAAA", encode_key(b"x" * 16))
    False
    """
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode_key(p256dh))
        return len(decode_key(p256dh)) == _POINT_BYTES and len(decode_key(auth)) == _AUTH_BYTES
    except ValueError:
        return False


def endpoint_allowed(endpoint: str, hosts: Iterable[str]) -> bool:
    """Whether our server may call a subscription's endpoint.

    It must be https on the usual port of a host in ``hosts`` (``*.example.org`` means every host
    below it), without a user in it. A loopback host may be plain http on any port, and only where
    ``hosts`` names it word for word: a test's or a gateway's on the same machine.

    >>> endpoint_allowed("https://fcm.googleapis.com/fcm/send/x", ["fcm.googleapis.com"])
    True
    >>> endpoint_allowed("https://fcm.googleapis.com.evil.example/x", ["fcm.googleapis.com"])
    False
    >>> endpoint_allowed("http://169.254.169.254/latest", ["*.push.apple.com"])
    False
    """
    if len(endpoint) > _LONGEST_ENDPOINT or any(ord(c) <= 32 or c == "\\" for c in endpoint):
        return False
    try:
        url = urlsplit(endpoint)
        host, port = url.hostname or "", url.port
    except ValueError:
        return False
    if not host or url.username is not None or url.password is not None:
        return False
    if host in LOOPBACK:
        return host in hosts and url.scheme in {"http", "https"}
    return (
        url.scheme == "https"
        and port in {None, 443}
        and any(_matches(host, pattern.lower()) for pattern in hosts)
    )


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern
