"""Withdrawals as a door makes them, of readings of a log and of what was announced of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.support.vitals import at
from vigil.domain.episode import Event
from vigil.domain.reading import RestedOn, Upload, Withdrawal


def rested_on(events: Iterable[Event]) -> tuple[RestedOn, ...]:
    """What a door would read of these events: the last step of each episode."""
    last = {event.episode_id: event for event in events}
    return tuple(
        RestedOn(
            episode_id=event.episode_id, kind=event.kind, sequence=event.sequence,
            onset=event.onset, ended_at=event.ended_at, priority=event.priority,
            retrospective=event.retrospective, signals=event.signals, evidence=event.evidence,
            synthetic=event.synthetic,
        )
        for event in last.values()
    )  # fmt: skip


def withdrawal(
    log: Sequence[Upload],
    taken_back: Iterable[int],
    events: Iterable[Event] = (),
    *,
    when: float | None = None,
    **more: Any,
) -> Withdrawal:
    """The withdrawal of some readings of a log, by their places in it."""
    readings = [item for one in log for item in one.measurements]
    gone = set(taken_back)
    received = {item.reading_id: one.received_at for one in log for item in one.measurements}
    left = tuple(r for i, r in enumerate(readings) if i not in gone)
    left = more.get("remaining", left)
    time = readings[-1].time if when is None else at(when)
    fields: dict[str, Any] = {
        "withdrawal_id": f"w-{sorted(gone)}",
        "patient_id": "p1",
        "readings": tuple(r for i, r in enumerate(readings) if i in gone),
        "reason": "wrong_patient",
        "actor": "kim",
        "time": time,
        "since": readings[0].time,
        "remaining": left,
        "remaining_delays": tuple(
            (received.get(r.reading_id, r.time) - r.time).total_seconds() for r in left
        ),
        "episodes": rested_on(events),
    }
    return Withdrawal(**{**fields, **more})
