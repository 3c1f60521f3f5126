"""Vigil as a detector under test: its events as alerts."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from benchmarks.detection.scoring import Alert
from benchmarks.detection.sets import Recording
from detectors.configuration.loading import DetectionConfig
from detectors.engine.engine import Engine
from vigil.domain.episode import Event
from vigil.domain.kinds import PRIORITY_ORDER


def detect(recording: Recording, config: DetectionConfig) -> list[Event]:
    """One causal pass: everything that Vigil says of a person."""
    engine = Engine(config)
    return [event for upload in recording.uploads() for event in engine.process(upload)]


def alerts(
    events: Iterable[Event], end: float, kinds: Collection[str] | None = None
) -> list[Alert]:
    """What pages somebody: each clinical episode when it opens, and again when its priority rises.

    Technical and retrospective steps page nobody and are left out. ``end``: of the recording, where
    an episode that never closes ends. ``kinds``: these alone; None: every clinical kind.
    """
    result: list[Alert] = []
    open_steps: dict[str, list[Event]] = {}
    for event in events:
        if event.category != "clinical" or (kinds is not None and event.kind not in kinds):
            continue
        steps = open_steps.setdefault(event.episode_id, [])
        if event.phase == "closed":
            until = event.detected_at.timestamp()
            result += [_alert(step, until) for step in open_steps.pop(event.episode_id)]
        elif not event.retrospective and _rises(steps, event):
            steps.append(event)
    result += [_alert(step, end) for steps in open_steps.values() for step in steps]
    return sorted(result)


def watch(
    recording: Recording, config: DetectionConfig, kinds: Collection[str] | None = None
) -> list[Alert]:
    """:func:`detect` and :func:`alerts` in one."""
    return alerts(detect(recording, config), recording.end, kinds)


def _rises(steps: list[Event], event: Event) -> bool:
    """True for the first step, and for one of a higher priority than any told before."""
    return not steps or PRIORITY_ORDER[event.priority] < PRIORITY_ORDER[steps[-1].priority]


def _alert(event: Event, until: float) -> Alert:
    start = event.detected_at.timestamp()
    return Alert(start, max(start, until), event.kind, event.priority)
