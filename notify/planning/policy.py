"""Who is told what, and what ends it: pure rules, with no I/O (see ``docs/notification.md``).

told of                                        on-call   patient's phone
an episode first at high or medium priority      yes          yes
its rise from medium to high                     yes           no
a patient's "I need help"                        yes           no
a colleague's "escalate"                         yes           no
anything technical, low, retrospective, closed    no           no
anything synthetic, outside the demo              no           no
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from store.notifications.deliveries import Channel, Reason
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.kinds import PRIORITY_ORDER, Priority

PATIENT = "patient"
"""The actor of what comes from a phone page."""
EVERYBODY: frozenset[Channel] = frozenset({"on_call", "web_push"})
STAFF: frozenset[Channel] = frozenset({"on_call"})

USEFUL_FOR: MappingProxyType[Priority, timedelta] = MappingProxyType(
    {"high": timedelta(hours=4), "medium": timedelta(hours=2), "low": timedelta(hours=1)}
)
"""How long after it was published a message is still worth sending (our own figures)."""

_ASKS_FOR_STAFF: MappingProxyType[str, Reason] = MappingProxyType(
    {"need_help": "need_help", "escalate": "escalated"}
)
_SHOWS_THAT_STAFF_KNOW = frozenset({"acknowledge", "snooze", "resolve"})


@dataclass(frozen=True, slots=True)
class Page:
    """Somebody is to be told."""

    reason: Reason
    priority: Priority
    channels: frozenset[Channel]


def page_of_alert(alert: Alert, told: Priority | None, demo: bool) -> Page | None:
    """What an alert's step asks for; None: nobody is told of it.

    Args:
        told: the most urgent priority at which this episode was told before.
        demo: whether synthetic data may page (a demonstration).
    """
    if not _may_page(alert, demo):
        return None
    if told is None:
        reason: Reason = "opened" if alert.phase == "opened" else "raised"
        return Page(reason, alert.priority, EVERYBODY)
    if PRIORITY_ORDER[alert.priority] < PRIORITY_ORDER[told]:
        return Page("raised", alert.priority, STAFF)
    return None


def page_of_action(action: Action) -> Page | None:
    """What a person's action asks for; None: nobody is told of it."""
    reason = _ASKS_FOR_STAFF.get(action.verb)
    return Page(reason, "high", STAFF) if reason else None


def acknowledges(action: Action) -> bool:
    """Whether it shows that staff know of the alert: pages for what came before are dropped."""
    return action.actor != PATIENT and action.verb in _SHOWS_THAT_STAFF_KNOW


def ends(alert: Alert) -> bool:
    """Whether it is an episode's last step, after which news of it is no news."""
    return alert.category == "clinical" and alert.phase == "closed"


def useful_until(published: datetime, priority: Priority) -> datetime:
    """When a message of this priority is out of date."""
    return published + USEFUL_FOR[priority]


def _may_page(alert: Alert, demo: bool) -> bool:
    return (
        alert.category == "clinical"
        and alert.phase != "closed"
        and not alert.retrospective
        and alert.priority != "low"
        and (demo or not alert.synthetic)
    )
