"""Plays a scenario's log through an engine, with a tick a minute, and through the paging rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from detectors.configuration.loading import from_tables
from detectors.engine.engine import Engine
from explain.templates.compose import compose
from notify.planning import policy
from store.notifications.notified_episodes import UNKNOWN, PagedEpisode
from tests.support.scenarios.form import Scenario, Withdrawn, duration
from vigil.domain.episode import Event
from vigil.domain.reading import Measurement, RestedOn, Upload, Withdrawal
from vigil.values import timestamps

MINUTE = timedelta(minutes=1)
_REASONS = frozenset({"unobserved", "late_end", "reading_withdrawn", "gone"})
"""Why an episode ended, where a scenario names it in the place of ``closed``."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an episode, as it was announced."""

    event: Event
    published: datetime
    page: str
    """The reason of the page that it requires; empty: nobody is paged."""

    @property
    def paged(self) -> bool:
        """Whether somebody is paged of it."""
        return bool(self.page)

    def name(self) -> str:
        """``opened``, why it was updated, or how it ended."""
        if self.event.phase == "closed":
            reason = str(self.event.evidence.get("reason", ""))
            corrected = self.event.change == "corrected"
            return "corrected" if corrected else reason if reason in _REASONS else "closed"
        return self.event.change or "opened" if self.event.phase == "updated" else "opened"


def play(
    scenario: Scenario, uploads: Sequence[Upload], until: datetime | None = None
) -> list[Step]:
    """What is announced, when, and whether somebody is paged of it.

    Args:
        until: how far time goes on; None: as far as the scenario is watched.
    """
    engine = Engine(from_tables(scenario.tables(), scenario.name))
    pager = Pager([timestamps.parse(one) for one in scenario.acknowledged])
    late = timestamps.parse(scenario.published) if scenario.published else None
    steps: list[Step] = []
    for published, events in _played(scenario, uploads, engine, until):
        steps += [pager.step(event, late or published) for event in events]
    return steps


def _played(
    scenario: Scenario, uploads: Sequence[Upload], engine: Engine, until: datetime | None
) -> Iterator[tuple[datetime, list[Event]]]:
    log: list[tuple[datetime, Upload | None]] = [(one.received_at, one) for one in uploads]
    if scenario.withdrawn is not None:
        log.append((timestamps.parse(scenario.withdrawn.at), None))
        log.sort(key=lambda entry: entry[0])
    if not log:
        return
    clock = log[0][0].replace(second=0, microsecond=0)
    so_far: list[Event] = []
    end = until or log[-1][0] + duration(scenario.watched)
    for received, message in [*log, (end, None)]:
        while clock + MINUTE <= received:
            clock += MINUTE
            so_far += (events := engine.tick(clock))
            yield clock, events
        if message is not None:
            so_far += (events := engine.process(message))
            yield received, events
        elif received != end and scenario.withdrawn is not None:
            taken_back = withdrawal(scenario.withdrawn, uploads, so_far)
            so_far += (events := engine.withdraw(taken_back))
            yield received, events
    yield end, engine.finish()


def withdrawal(given: Withdrawn, uploads: Sequence[Upload], events: list[Event]) -> Withdrawal:
    """As the door makes it: with what remains, and with what was announced."""
    at, first, last = (timestamps.parse(one) for one in (given.at, given.first, given.last))
    stored = [one for upload in uploads if upload.received_at <= at for one in upload.measurements]

    def gone(one: Measurement) -> bool:
        return first <= one.time <= last

    wrong = tuple(one for one in stored if gone(one))
    names = {name for one in wrong for name in one.values}
    left = tuple(one for one in stored if not gone(one) and names & one.values.keys())
    received = {one.reading_id: each.received_at for each in uploads for one in each.measurements}
    return Withdrawal(
        withdrawal_id="w1",
        patient_id=uploads[0].patient_id,
        readings=wrong,
        reason=given.reason,  # type: ignore[arg-type]  # the file names one of the reasons
        actor="kim",
        time=at,
        since=min(one.time for one in stored),
        remaining=left,
        remaining_delays=tuple(
            (received[one.reading_id] - one.time).total_seconds() for one in left
        ),
        episodes=_rested_on(events, names, first, last),
    )


def _rested_on(
    events: list[Event], names: set[str], first: datetime, last: datetime
) -> tuple[RestedOn, ...]:
    newest = {event.episode_id: event for event in events}
    return tuple(
        RestedOn(
            episode_id=one.episode_id, kind=one.kind, sequence=one.sequence, onset=one.onset,
            ended_at=one.ended_at, priority=one.priority, retrospective=one.retrospective,
            signals=one.signals, evidence=one.evidence, synthetic=one.synthetic,
        )
        for one in newest.values()
        if one.category == "clinical"
        and names & {*one.signals}
        and one.onset <= last
        and (one.ended_at is None or one.detected_at >= first)
    )  # fmt: skip


class Pager:
    """The paging rules, with what they know of each episode."""

    def __init__(self, acknowledged: Sequence[datetime]):
        self._waiting = sorted(acknowledged)
        self._known: dict[str, PagedEpisode] = {}

    def step(self, event: Event, published: datetime) -> Step:
        """A step, published at a time, with whether it pages."""
        while self._waiting and self._waiting[0] <= published:
            moment = self._waiting.pop(0)
            for name, known in self._known.items():
                self._known[name] = policy.decide_acknowledged(moment, known).known
        known = self._known.get(event.episode_id, UNKNOWN)
        decision = policy.decide(compose(event), published, known, demo=True)
        self._known[event.episode_id] = decision.known
        return Step(event, published, decision.page.reason if decision.page else "")
