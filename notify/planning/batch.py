"""What a batch of messages comes to: the pages that it requires, and what is then known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from notify.planning import policy
from notify.planning.policy import Page
from store.notifications.deliveries import PlannedDelivery
from store.notifications.notified_episodes import UNKNOWN, PagedEpisode, Worsening
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.domain.alert import Alert

if TYPE_CHECKING:
    from notify.channels.contract import Channel


@dataclass(frozen=True, slots=True)
class DuePage:
    """A page, and what it is about."""

    page: Page
    cause: str
    """The alert's step or the action that requires it: each cause is notified once."""
    episode_id: str
    patient_id: str
    sequence: int
    kind: str
    happened_at: datetime
    published: datetime
    """When its message was published to its topic."""
    synthetic: bool
    time_uncertain: bool
    because: str = ""
    """Why readings were withdrawn; else empty."""

    @property
    def takes_back(self) -> bool:
        """Whether it goes to whom the pages about the episode went, and to nobody else."""
        return self.page.reason in {"withdrawn", "corrected"}

    def delivery(
        self, channel: Channel, recipient: str, happened_at: datetime | None = None
    ) -> PlannedDelivery:
        """The row of one recipient's delivery.

        Args:
            happened_at: what it is about, where that is not the page's own time.
        """
        return PlannedDelivery(
            cause=self.cause,
            alert_id=ids.alert_id(self.episode_id),
            episode_id=self.episode_id,
            patient_id=self.patient_id,
            sequence=self.sequence,
            channel=channel.name,
            recipient=recipient,
            priority=self.page.priority,
            kind=self.kind,
            reason=self.page.reason,
            made_at=self.published,
            expires_at=policy.expires_at(self.published, self.page.priority),
            synthetic=self.synthetic,
            happened_at=happened_at or self.happened_at,
            time_uncertain=self.time_uncertain,
            because=self.because,
        )


@dataclass(slots=True)
class Batch:
    """The result of a batch of messages, before anything is written."""

    before: Mapping[str, PagedEpisode]
    """Episode id → what was known of it."""
    pages: list[DuePage] = field(default_factory=list)
    known: dict[str, PagedEpisode] = field(default_factory=dict)
    """Episode id → what is known of it now, where that is something new."""
    closed: set[str] = field(default_factory=set)
    reopened: set[str] = field(default_factory=set)
    """Episodes that go on after all: what ended them does not count."""

    def add_alert(self, alert: Alert, published: datetime, *, demo: bool) -> None:
        """Add an alert's step."""
        before = self._known_of(alert.episode_id)
        decision = policy.decide(alert, published, before, demo=demo)
        self._learn(alert.episode_id, decision.known)
        if decision.page is not None:
            self.pages.append(
                DuePage(
                    decision.page,
                    cause=f"{alert.alert_id}:{alert.sequence}",
                    episode_id=alert.episode_id,
                    patient_id=alert.patient_id,
                    sequence=alert.sequence,
                    kind=alert.kind,
                    happened_at=alert.time,
                    published=published,
                    synthetic=alert.synthetic,
                    time_uncertain=alert.time_uncertain,
                    because=alert.withdrawn or alert.corrected,
                )
            )
        if policy.ends_episode(alert):
            self.closed.add(alert.episode_id)
            self.reopened.discard(alert.episode_id)
        elif alert.change == "continues" and alert.sequence > before.sequence:
            self.closed.discard(alert.episode_id)
            self.reopened.add(alert.episode_id)

    def add_action(self, action: Action, published: datetime) -> None:
        """Add a person's action."""
        page = policy.page_for_action(action)
        if page is not None:
            self.pages.append(_of_action(action, page, published))
        elif policy.is_acknowledgement(action):
            known = self._known_of(action.episode_id)
            decision = policy.decide_acknowledged(action.time, known)
            self._learn(action.episode_id, decision.known)
            if decision.page is not None and known.worsening is not None:
                self.pages.append(_of_worsening(action, decision.page, known.worsening))

    def _known_of(self, episode_id: str) -> PagedEpisode:
        return self.known.get(episode_id) or self.before.get(episode_id, UNKNOWN)

    def _learn(self, episode_id: str, known: PagedEpisode) -> None:
        if known != self._known_of(episode_id):
            self.known[episode_id] = known


def _of_action(action: Action, page: Page, published: datetime) -> DuePage:
    return DuePage(
        page,
        cause=action.action_id,
        episode_id=action.episode_id,
        patient_id=action.patient_id,
        sequence=0,
        kind="",
        happened_at=action.time,
        published=published,
        synthetic=False,  # read from the patient's row when it is sent
        time_uncertain=False,
    )


def _of_worsening(action: Action, page: Page, step: Worsening) -> DuePage:
    """The page of a step that was read before the acknowledgement which it is later than."""
    return DuePage(
        page,
        cause=f"{ids.alert_id(action.episode_id)}:{step.sequence}",
        episode_id=action.episode_id,
        patient_id=action.patient_id,
        sequence=step.sequence,
        kind=step.kind,
        happened_at=step.time,
        published=step.published,
        synthetic=step.synthetic,
        time_uncertain=step.time_uncertain,
    )


def locked_ids(messages: Iterable[tuple[Alert | Action, datetime]], *, demo: bool) -> set[str]:
    """The episodes that get a row whatever is known of them, so that what is decided on them here
    and by another worker is decided one after the other."""
    return {
        message.episode_id
        for message, published in messages
        if (
            policy.is_acknowledgement(message)
            if isinstance(message, Action)
            else policy.may_page(message, published, demo)
        )
    }
