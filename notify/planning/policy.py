"""Who is notified of what, and what ends it: pure rules, without I/O (``docs/notification.md``).

notified of                                    on-call   patient's phone
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
"""The actor of actions taken on a phone page."""
EVERYBODY: frozenset[Channel] = frozenset({"on_call", "web_push"})
STAFF: frozenset[Channel] = frozenset({"on_call"})

EXPIRES_AFTER: MappingProxyType[Priority, timedelta] = MappingProxyType(
    {"high": timedelta(hours=4), "medium": timedelta(hours=2), "low": timedelta(hours=1)}
)
"""How long after publication a message is still worth sending (our own figures)."""

_CALLS_STAFF: MappingProxyType[str, Reason] = MappingProxyType(
    {"need_help": "need_help", "escalate": "escalated"}
)
_ACKNOWLEDGING = frozenset({"acknowledge", "snooze", "resolve"})


@dataclass(frozen=True, slots=True)
class Page:
    """Somebody is to be notified."""

    reason: Reason
    priority: Priority
    channels: frozenset[Channel]


def page_for_alert(alert: Alert, notified: Priority | None, demo: bool) -> Page | None:
    """The page that an alert's step requires; None: nobody is notified.

    Args:
        notified: the most urgent priority at which this episode was notified before; None: never.
        demo: whether synthetic data may page (a demonstration).
    """
    if not _may_page(alert, demo):
        return None
    if notified is None:
        reason: Reason = "opened" if alert.phase == "opened" else "raised"
        return Page(reason, alert.priority, EVERYBODY)
    if PRIORITY_ORDER[alert.priority] < PRIORITY_ORDER[notified]:
        return Page("raised", alert.priority, STAFF)
    return None


def page_for_action(action: Action) -> Page | None:
    """The page that a person's action requires; None: nobody is notified."""
    reason = _CALLS_STAFF.get(action.verb)
    return Page(reason, "high", STAFF) if reason else None


def is_acknowledgement(action: Action) -> bool:
    """Whether it shows that staff know of the alert: pages published before it are dropped."""
    return action.actor != PATIENT and action.verb in _ACKNOWLEDGING


def ends_episode(alert: Alert) -> bool:
    """Whether it is an episode's last step, after which pages about it are obsolete."""
    return alert.category == "clinical" and alert.phase == "closed"


def expires_at(published: datetime, priority: Priority) -> datetime:
    """When a message of this priority expires."""
    return published + EXPIRES_AFTER[priority]


def _may_page(alert: Alert, demo: bool) -> bool:
    return (
        alert.category == "clinical"
        and alert.phase != "closed"
        and not alert.retrospective
        and alert.priority != "low"
        and (demo or not alert.synthetic)
    )
