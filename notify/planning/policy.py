"""Who is notified of what, and what ends it: pure rules, without I/O (``docs/notification.md``).

=======  ==========================================================  =======  ===============
step     what happens                                                on-call  patient's phone
=======  ==========================================================  =======  ===============
any      the episode is first at high or medium priority             yes      yes
raised   its priority rises, also after it had fallen                yes      no
worse    its value worsens, and staff have acknowledged or snoozed   yes      no
         it since the last page
   …     … and nobody has                                            no       no
joined   a further finding that is of high priority by itself joins  yes      no
         it for the first time, or worsens, and staff have
         acknowledged or snoozed it since the last page
   …     … and nobody has                                            no       no
cont.    it is still there, hours after the last announcement        yes      as the first page
         (high 4 h, medium 12 h: ``[repeat]`` of the detectors)
eased    its priority falls                                          no       no
parts    another further finding joins it                            no       no
earlier  late readings show that it began earlier                    no       no
closed   it ends, also because nothing is measured any more          no       no
   …     … because readings that it rested on were withdrawn         whoever was paged of it
any      its priority is lower without readings that were withdrawn  whoever was paged of it
–        a patient's "I need help", a colleague's "escalate"         yes      no
=======  ==========================================================  =======  ===============

Nobody is notified of what is technical, of low priority, retrospective, history
(:func:`vigil.domain.alert.is_history`), or synthetic outside of a demonstration. A rise, a
worsening, a further finding of high priority or a continuation that pages lifts an acknowledgement
or a snooze.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from store.notifications.deliveries import Channel, Reason
from store.notifications.notified_episodes import PagedEpisode, Worsening
from vigil.domain.action import Action
from vigil.domain.alert import USEFUL_FOR, Alert, is_history
from vigil.domain.kinds import PRIORITY_ORDER, Priority

PATIENT = "patient"
"""The actor of actions taken on a phone page."""
EVERYBODY: frozenset[Channel] = frozenset({"on_call", "web_push"})
STAFF: frozenset[Channel] = frozenset({"on_call"})

EXPIRES_AFTER = USEFUL_FOR
"""How long after publication a message is still worth sending (our own figures)."""

_CALLS_STAFF: MappingProxyType[str, Reason] = MappingProxyType(
    {"need_help": "need_help", "escalate": "escalated"}
)
_SINCE_ACKNOWLEDGED: MappingProxyType[str, Literal["worse", "joined"]] = MappingProxyType(
    {"worse": "worse", "joined": "joined"}
)
"""A change that pages where staff have acknowledged the last page → the reason of the new one."""
_ACKNOWLEDGING = frozenset({"acknowledge", "snooze", "resolve"})
_FIRST: MappingProxyType[str, Reason] = MappingProxyType(
    {
        "worse": "worse",
        "continues": "continues",
        "eased": "continues",
        "parts": "continues",
        "joined": "continues",
        "earlier": "continues",
    }
)
"""The reason of a first page for a later step than the first, by its change: nobody was notified of
the first, because it was history. Any other: it was of low priority, and rose."""


@dataclass(frozen=True, slots=True)
class Page:
    """Somebody is to be notified."""

    reason: Reason
    priority: Priority
    channels: frozenset[Channel]


@dataclass(frozen=True, slots=True)
class Decision:
    """The page that a step requires, and what is known of the episode from then on."""

    page: Page | None
    known: PagedEpisode


def decide(alert: Alert, published: datetime, known: PagedEpisode, *, demo: bool) -> Decision:
    """The page that an alert's step requires, if any. A step that was decided on requires none.

    Args:
        published: when the alert was put on its topic.
        demo: whether synthetic data may page (a demonstration).
    """
    if alert.sequence <= known.sequence:
        return Decision(None, known)
    page = _page(alert, published, known) if may_page(alert, published, demo) else None
    if page is not None:
        return Decision(page, _paged(known, page, alert.sequence, published))
    if known.notified is None:
        return Decision(None, known)
    if _takes_back(alert, published, demo):
        page = Page("withdrawn", alert.priority, EVERYBODY)
        return Decision(page, replace(known, sequence=alert.sequence, worsening=None))
    corrects = bool(alert.corrected) and _is_current(alert, published, demo)
    after = replace(
        known, notified=_less_urgent(known.notified, alert.priority), sequence=alert.sequence
    )
    if ends_episode(alert):
        after = replace(after, worsening=None)
    elif _speaks_up(alert, published, demo) and not _acknowledged_since(known, published):
        after = replace(after, worsening=_worsening(alert, published))
    return Decision(Page("corrected", alert.priority, EVERYBODY) if corrects else None, after)


def decide_acknowledged(moment: datetime, known: PagedEpisode) -> Decision:
    """The page that an acknowledgement requires: that of a worsening after it, which was read
    before it.

    Args:
        moment: when staff acknowledged the episode.
    """
    newest = max(moment, known.acknowledged_at or moment)
    known = replace(known, acknowledged_at=newest)
    worsening = known.worsening
    if worsening is None or (known.paged_at is not None and newest < known.paged_at):
        return Decision(None, known)
    if newest >= worsening.published:
        return Decision(None, replace(known, worsening=None))
    page = Page(worsening.reason, worsening.priority, STAFF)
    paged = _paged(known, page, known.sequence, worsening.published)
    return Decision(page, replace(paged, notified=known.notified))


def may_page(alert: Alert, published: datetime | None, demo: bool) -> bool:
    """Whether a step may require a page, whatever is known of its episode.

    Args:
        published: None: not known, and so at once.
    """
    return (
        alert.category == "clinical"
        and alert.phase != "closed"
        and not alert.retrospective
        and alert.priority != "low"
        and (demo or not alert.synthetic)
        and not is_history(alert, published)
    )


def matters(alert: Alert, published: datetime | None, demo: bool) -> bool:
    """Whether a step can change what is known of its episode: most cannot."""
    lowers = alert.change == "eased" or bool(alert.corrected)
    return may_page(alert, published, demo) or ends_episode(alert) or lowers


def page_for_action(action: Action) -> Page | None:
    """The page that a person's action requires; None: nobody is notified."""
    reason = _CALLS_STAFF.get(action.verb)
    return Page(reason, "high", STAFF) if reason else None


def is_acknowledgement(action: Action) -> bool:
    """Whether it shows that staff know of the alert: pages published before it are dropped."""
    return action.actor != PATIENT and action.verb in _ACKNOWLEDGING


def ends_episode(alert: Alert) -> bool:
    """Whether it is an episode's last step, after which pages about it are obsolete. They are not
    where nothing was measured any more: nobody knows whether that is over."""
    clinical = alert.category == "clinical"
    return clinical and alert.phase == "closed" and alert.change != "unobserved"


def expires_at(published: datetime, priority: Priority) -> datetime:
    """When a message of this priority expires."""
    return published + EXPIRES_AFTER[priority]


def _takes_back(alert: Alert, published: datetime, demo: bool) -> bool:
    """Whether whoever was paged of the episode is to be informed that its readings do not count."""
    return ends_episode(alert) and bool(alert.withdrawn) and _is_current(alert, published, demo)


def _is_current(alert: Alert, published: datetime, demo: bool) -> bool:
    return (demo or not alert.synthetic) and not is_history(alert, published)


def _page(alert: Alert, published: datetime, known: PagedEpisode) -> Page | None:
    """The page for a step that may page."""
    if alert.change == "corrected":
        return None
    if known.notified is None:
        first: Reason = "opened" if alert.phase == "opened" else _FIRST.get(alert.change, "raised")
        return Page(first, alert.priority, EVERYBODY)
    if _rises(alert, known.notified):
        return Page("raised", alert.priority, STAFF)
    if alert.change == "continues":
        return Page("continues", alert.priority, EVERYBODY if known.patient_notified else STAFF)
    reason = _SINCE_ACKNOWLEDGED.get(alert.change)
    if reason is not None and _acknowledged_between_pages(known, published):
        return Page(reason, alert.priority, STAFF)
    return None


def _rises(alert: Alert, notified: Priority) -> bool:
    """By its priority, or by its own statement: a fall in between may not have been read."""
    return alert.change == "raised" or PRIORITY_ORDER[alert.priority] < PRIORITY_ORDER[notified]


def _paged(known: PagedEpisode, page: Page, sequence: int, published: datetime) -> PagedEpisode:
    return replace(
        known,
        notified=page.priority,
        sequence=sequence,
        paged_at=published,
        patient_notified=known.patient_notified or "web_push" in page.channels,
        worsening=None,
    )


def _acknowledged_between_pages(known: PagedEpisode, published: datetime) -> bool:
    """Whether staff acknowledged the last page, and not what is published now."""
    moment = known.acknowledged_at
    return (
        moment is not None
        and moment < published
        and (known.paged_at is None or moment >= known.paged_at)
    )


def _acknowledged_since(known: PagedEpisode, published: datetime) -> bool:
    """Whether staff acknowledged the episode after what is published now."""
    return known.acknowledged_at is not None and known.acknowledged_at >= published


def _speaks_up(alert: Alert, published: datetime, demo: bool) -> bool:
    """Whether a step pages where staff have acknowledged the one before."""
    return alert.change in _SINCE_ACKNOWLEDGED and may_page(alert, published, demo)


def _worsening(alert: Alert, published: datetime) -> Worsening:
    return Worsening(
        sequence=alert.sequence,
        priority=alert.priority,
        kind=alert.kind,
        time=alert.time,
        published=published,
        synthetic=alert.synthetic,
        time_uncertain=alert.time_uncertain,
        reason=_SINCE_ACKNOWLEDGED[alert.change],
    )


def _less_urgent(one: Priority, other: Priority) -> Priority:
    return max(one, other, key=PRIORITY_ORDER.__getitem__)
