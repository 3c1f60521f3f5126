"""The one-time link that makes a phone the patient's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import segno
from markupsafe import Markup

from store.people import phones

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

VALID_FOR = timedelta(hours=1)
"""Long enough to be opened at the bedside; it works once."""


class PhoneLink(NamedTuple):
    """Shown once: the database keeps a digest of its code."""

    url: str
    qr: Markup
    """The same as a picture (SVG)."""
    expires_at: datetime


async def make(context: WebContext, patient_id: str, user_id: str) -> PhoneLink:
    """A new link for a patient.

    Raises:
        UnavailableError: the database is away.
    """
    expires_at = context.clock() + VALID_FOR
    async with context.database() as connection:
        code = await phones.create_enrolment(connection, patient_id, user_id, expires_at)
    url = f"{context.settings.public_url.rstrip('/')}/phone/enrol/{code}"
    picture = segno.make(url, error="m").svg_inline(
        scale=6, border=4, dark="#000", light="#fff", title="The link as a QR code"
    )
    return PhoneLink(url, Markup(picture), expires_at)  # noqa: S704  (made of the code alone)
