"""Every word that a notification carries: reviewed, and about nobody's health.

A patient's lock screen can be read by whoever stands by, and on-call messages travel through other
people's services. So neither says what was measured, nor whose name it is.
"""

from __future__ import annotations

from datetime import UTC
from types import MappingProxyType
from typing import NamedTuple

from store.notifications.deliveries import Delivery, Reason
from vigil.domain.kinds import KINDS, Priority
from vigil.values.bidi import isolated


class LockScreen(NamedTuple):
    """What a phone shows before it is unlocked."""

    title: str
    body: str
    simulated: str
    """Put before the body where the data are made up."""


LOCK_SCREEN: MappingProxyType[str, LockScreen] = MappingProxyType(
    {
        "en": LockScreen("Vigil", "You have a new message from your care team.", "Simulated data."),
        "es": LockScreen(
            "Vigil", "Tiene un mensaje nuevo de su equipo de salud.", "Datos simulados."
        ),
        "zh": LockScreen("Vigil", "您的医护团队给您发来了新消息。", "模拟数据。"),
        "hi": LockScreen("Vigil", "आपकी देखभाल टीम का नया संदेश आया है।", "बनावटी डेटा।"),
        "ar": LockScreen("Vigil", "لديك رسالة جديدة من فريق رعايتك.", "بيانات محاكاة."),
    }
)
"""By locale; English where a locale has no row."""

_HEADLINE: MappingProxyType[Reason, str] = MappingProxyType(
    {
        "opened": "New alert",
        "raised": "Alert raised",
        "need_help": "A patient asks for help",
        "escalated": "A colleague asks for help",
    }
)
_SHOUTED: MappingProxyType[Priority, str] = MappingProxyType(
    {"high": "HIGH", "medium": "Medium", "low": "Low"}
)


class OnCallText(NamedTuple):
    """What on-call staff get."""

    title: str
    body: str


def lock_screen(delivery: Delivery) -> tuple[str, str]:
    """Title and body of a patient's notification: the same whatever it is about."""
    words = LOCK_SCREEN.get(delivery.locale, LOCK_SCREEN["en"])
    body = f"{words.simulated} {words.body}" if delivery.synthetic else words.body
    return words.title, body


def on_call(delivery: Delivery, board_url: str) -> OnCallText:
    """Pseudonymous id, ward, kind and priority, and where to read on. No value, no name."""
    kind = KINDS.get(delivery.kind)
    about = kind.label if kind else ""
    title = f"{_SHOUTED[delivery.priority]} priority: {_HEADLINE[delivery.reason]}"
    where = f", {isolated(delivery.ward)}" if delivery.ward else ""
    lines = [
        *(["SIMULATED DATA. Not a real patient."] if delivery.synthetic else []),
        *([f"{about}."] if about else []),
        f"Patient {delivery.patient_id}{where}.",
        f"Raised {delivery.made_at.astimezone(UTC):%d %b %Y, %H:%M} UTC.",
        f"Open the board: {board_url}",
    ]
    if delivery.synthetic:
        title = f"[Simulated] {title}"
    return OnCallText(title, "\n".join(lines))
