"""The texts of all notifications: reviewed, and without health data.

Bystanders can read a patient's lock screen, and on-call messages pass through third-party services.
So neither contains a measured value or a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from store.notifications.deliveries import Delivery, Reason
from vigil.domain.kinds import KINDS, Priority
from vigil.domain.reading import WITHDRAWAL_LABELS
from vigil.values.bidi import isolated


@dataclass(frozen=True, slots=True)
class LockScreen:
    """What a phone shows before it is unlocked."""

    title: str
    body: str
    simulated: str
    """Prefix of the body for synthetic data."""


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
"""By locale; English for a locale without an entry."""

_UTC = ZoneInfo("UTC")
_HEADLINE: MappingProxyType[Reason, str] = MappingProxyType(
    {
        "opened": "New alert",
        "raised": "Alert raised",
        "worse": "Worse since acknowledged",
        "joined": "Further finding, new or worse, since acknowledged",
        "continues": "Still present",
        "withdrawn": "Alert withdrawn",
        "corrected": "Alert corrected",
        "need_help": "A patient asks for help",
        "escalated": "A colleague asks for help",
    }
)
_HAPPENED: MappingProxyType[Reason, str] = MappingProxyType(
    {"worse": "Measured", "joined": "Measured", "continues": "Measured"}
)
"""What happened at the time that a message names; anything else was raised then."""
APART_AFTER = timedelta(minutes=2)
"""Where a message was published so long after what it is about, both times are in it."""
_PRIORITY_LABEL: MappingProxyType[Priority, str] = MappingProxyType(
    {"high": "HIGH", "medium": "Medium", "low": "Low"}
)


@dataclass(frozen=True, slots=True)
class OnCallText:
    """The message to on-call staff."""

    title: str
    body: str


def lock_screen_text(delivery: Delivery) -> tuple[str, str]:
    """Title and body of a patient's notification: the same for every alert."""
    texts = LOCK_SCREEN.get(delivery.locale, LOCK_SCREEN["en"])
    body = f"{texts.simulated} {texts.body}" if delivery.synthetic else texts.body
    return texts.title, body


def on_call_text(delivery: Delivery, board_url: str, zone: ZoneInfo = _UTC) -> OnCallText:
    """Pseudonymous id, ward, kind, priority and a link to the board. No value and no name.

    Args:
        zone: the ward's; its name stands beside the time.
    """
    kind = KINDS.get(delivery.kind)
    about = kind.label if kind else ""
    title = f"{_PRIORITY_LABEL[delivery.priority]} priority: {_HEADLINE[delivery.reason]}"
    where = f", {isolated(delivery.ward)}" if delivery.ward else ""
    lines = [
        *(["SIMULATED DATA. Not a real patient."] if delivery.synthetic else []),
        *([f"{about}."] if about else []),
        f"Patient {delivery.patient_id}{where}.",
        _when(delivery, zone),
        f"Open the board: {board_url}",
    ]
    if delivery.synthetic:
        title = f"[Simulated] {title}"
    return OnCallText(title, "\n".join(lines))


def _when(delivery: Delivery, zone: ZoneInfo) -> str:
    """The time of what happened, and that of its message where they differ. Where the device's
    clock is wrong, the message's alone can be relied on."""
    if delivery.reason in {"withdrawn", "corrected"}:
        why = WITHDRAWAL_LABELS.get(delivery.because, "")  # type: ignore[call-overload]
        of = f"The alarm of {_time(delivery.happened_at, zone)}"
        if delivery.time_uncertain:
            of = "An alarm"
        rested = f"{of} rested on readings that were withdrawn{f': {why}' if why else ''}."
        stands = " Without them it stands, at the priority above."
        return rested + stands * (delivery.reason == "corrected")
    published = _time(delivery.made_at, zone)
    if delivery.time_uncertain:
        return f"Received {published}. Time uncertain: the device's clock is wrong."
    happened = f"{_HAPPENED.get(delivery.reason, 'Raised')} {_time(delivery.happened_at, zone)}"
    late = delivery.made_at - delivery.happened_at > APART_AFTER
    return f"{happened}, received {published}." if late else f"{happened}."


def _time(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%d %b %Y, %H:%M} {zone.key}"
