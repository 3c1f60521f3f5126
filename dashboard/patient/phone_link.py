"""The one-time link that enrols a patient's phone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import segno
from markupsafe import Markup

from store.people import phones

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

VALID_FOR = timedelta(hours=1)
"""Long enough to be opened at the bedside."""


@dataclass(frozen=True, slots=True)
class PhoneLink:
    """A link that is shown once: only a digest of its code is stored."""

    url: str
    qr: Markup
    """The link as an SVG image."""
    expires_at: datetime


async def create_link(context: WebContext, patient_id: str, user_id: str) -> PhoneLink:
    """Create a link for a patient.

    Raises:
        UnavailableError: the database is unavailable.
    """
    expires_at = context.clock() + VALID_FOR
    async with context.database() as connection:
        code = await phones.create_enrolment(
            connection, patient_id, created_by=user_id, expires_at=expires_at
        )
    url = f"{context.settings.public_url.rstrip('/')}/phone/enrol/{code}"
    picture = segno.make(url, error="m").svg_inline(
        scale=6, border=4, dark="#000", light="#fff", title="The link as a QR code"
    )
    return PhoneLink(url, Markup(picture), expires_at)  # noqa: S704  (made of the code alone)
