"""A browser in which a person has signed in before: failures of others do not lock it out.

Its cookie is signed with the stored hash of the person's password, so it needs no secret and no row
of its own, and becomes invalid when the password changes. It grants no access: the password is
required as always, and failures in this browser are counted for this browser alone (OWASP, "Device
cookies").
"""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256

KEPT_SECONDS = 180 * 86_400
PATH = "/login"
_COOKIE = re.compile(r"([A-Za-z0-9_-]{16})\.([0-9a-f]{64})")


def cookie_name(user_id: str, *, secure: bool) -> str:
    """One name for each user: a ward's computer is shared.

    >>> cookie_name("kim", secure=False)
    'vigil_known_26ae784d194a'
    """
    prefix = "__Secure-" if secure else ""
    return f"{prefix}vigil_known_{sha256(user_id.encode()).hexdigest()[:12]}"


def issue_cookie(user_id: str, password_hash: str) -> str:
    """The cookie for a browser in which the user has just signed in."""
    browser = secrets.token_urlsafe(12)
    return f"{browser}.{_signature(browser, user_id, password_hash)}"


def verify_cookie(cookie: str, user_id: str, password_hash: str) -> str | None:
    """The id of the browser that a cookie names; None: this user has not signed in there.

    >>> made = issue_cookie("kim", "$argon2id$…")
    >>> verify_cookie(made, "kim", "$argon2id$…") == made.split(".")[0]
    True
    >>> verify_cookie(made, "ada", "$argon2id$…"), verify_cookie(made, "kim", "another")
    (None, None)
    >>> verify_cookie("", "kim", "$argon2id$…") is None
    True
    """
    found = _COOKIE.fullmatch(cookie)
    if found is None:
        return None
    browser, signature = found.groups()
    right = _signature(browser, user_id, password_hash)
    return browser if hmac.compare_digest(signature, right) else None


def _signature(browser: str, user_id: str, password_hash: str) -> str:
    about = f"vigil known browser v1\0{browser}\0{user_id}".encode()
    return hmac.new(password_hash.encode(), about, sha256).hexdigest()
