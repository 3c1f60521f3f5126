"""A step of an episode as an event, with everything that a sceptical clinician asks for.

The keys are documented in ``docs/detection.md``. Numbers are plain floats, rounded here once, so
that equal logs make equal bytes. Values and limits are the figures that were judged
(:mod:`vigil.domain.figures`); the value as sent is in the reading.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from detectors.contract import Detector, Moment
from detectors.episodes.grouping import Part
from detectors.episodes.tracker import Step
from detectors.limits.combination import combine
from detectors.limits.configuration import DERIVED
from vigil.domain import figures, ids
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Context
from vigil.domain.signals import NAMES
from vigil.values.rounding import half_up

DETECTOR_VERSION = "4"
"""Goes up when the same log and configuration would give other events."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose event it is, and what is known of them apart from the moment."""

    patient_id: str
    config_hash: str
    quality: float
    """Share of values admitted of late, 0 to 1."""
    synthetic: bool
    retrospective: bool


def event(
    step: Step,
    moment: Moment,
    origin: Origin,
    known: Iterable[tuple[Detector, Any]],
) -> Event:
    """The event of a step.

    Args:
        known: each detector with its memory of the patient.
    """
    kind, episode = KINDS[step.kind], step.episode
    onset = _moment(episode.onset)
    own = (episode.signal,) if episode.signal and kind.category == "technical" else ()
    return Event(
        episode_id=ids.episode_id(origin.patient_id, step.kind, onset),
        patient_id=origin.patient_id,
        kind=step.kind,
        category=kind.category,
        phase=step.phase,
        sequence=episode.sequence,
        priority=episode.priority,
        onset=onset,
        detected_at=_moment(episode.known),
        ended_at=None if step.ended_at is None else _moment(step.ended_at),
        retrospective=origin.retrospective,
        signals=own or kind.signals,
        evidence=_evidence(step, moment, origin=origin, known=known),
        context=Context(moment.activity, moment.steps_per_min, None, moment.contact),
        detector_version=DETECTOR_VERSION,
        config_hash=origin.config_hash,
        synthetic=origin.synthetic,
    )


def _evidence(
    step: Step, moment: Moment, origin: Origin, known: Iterable[tuple[Detector, Any]]
) -> dict[str, Any]:
    episode = step.episode
    now = episode.known
    end = now if step.ended_at is None else step.ended_at
    facts: dict[str, Any] = {
        "rule": episode.rule,
        "signal": episode.signal or None,
        "direction": episode.direction or None,
        "values": {name: judged(name, value) for name, value in moment.values.items()},
        "value": judged(episode.signal, _value(step, moment)),
        "extreme": judged(episode.signal, episode.extreme),
        "limit": judged(episode.signal, episode.limit),
        "limit_clear": judged(episode.signal, episode.limit_clear),
        "persistence_seconds": rounded(episode.condition_seconds),
        "persistence_readings": episode.readings,
        "samples": episode.samples,
        "window_seconds": rounded(now - episode.onset),
        "duration_seconds": rounded(end - episode.onset),
        "condition_delay_seconds": rounded(now - episode.onset),
        "signal_delay_seconds": rounded(moment.received - moment.time),
        "quality": half_up(origin.quality, 2),
        "reason": episode.reason or None,
        "context_source": moment.context_source or None,
        "parts": [_part(part) for part in step.parts] or None,
    }
    evidence = {key: value for key, value in facts.items() if value is not None}
    if step.finding is not None and step.finding.facts:
        evidence.update(step.finding.facts)
    for detector, memory in known:
        _add(evidence, detector.evidence(moment, memory, episode.signal))
    scores = _scores(moment, episode.signal, KINDS[step.kind].signals)
    if scores:
        evidence["scores"] = {**scores, **evidence.get("scores", {})}
    return evidence


def _add(evidence: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add what a detector adds to the evidence, over what is there; of tables, key by key."""
    for key, value in more.items():
        below = evidence.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        evidence[key] = {**(below or {}), **value} if both else value


def _scores(moment: Moment, judged: str, signals: Collection[str]) -> dict[str, float]:
    """Each detector's scores of the event's signals at this moment.

    ``detector.signal`` is that detector's score of one signal. Of the signal that is judged it
    stands under the detector's name alone; so does a score that is of no one signal.
    """
    found = {}
    for key, score in moment.scores.items():
        name, _, signal = key.rpartition(".")
        if signal not in NAMES:
            found[key] = half_up(score, 2)
        elif signal == judged:
            found[name] = half_up(score, 2)
        elif signal in signals:
            found[key] = half_up(score, 2)
    return found


def _part(part: Part) -> dict[str, Any]:
    """A part in plain values; what it does not have is absent."""
    facts = {
        "kind": part.kind,
        "rule": part.rule,
        "signal": part.signal or None,
        "priority": part.priority,
        "value": judged(part.signal, part.value),
        "limit": judged(part.signal, part.limit),
        "since": ids.timestamp(_moment(part.since)),
    }
    return {key: value for key, value in facts.items() if value is not None}


def _value(step: Step, moment: Moment) -> float | None:
    """The present value of the signal that the episode is announced by."""
    signal, finding = step.episode.signal, step.finding
    if finding is not None and finding.rule.signal == signal:
        return finding.value
    return combine(moment.values).get(signal) if signal in DERIVED else moment.values.get(signal)


def judged(signal: str, value: float | None) -> float | None:
    """A value or limit of a signal as it was judged, or of something else as it is written.

    >>> judged("systolic", 90.0074), judged("pattern", 4.125), judged("", 93.33333333)
    (90.0, 4.13, 93.333)
    """
    return rounded(value if value is None else figures.figure(signal, value))


def rounded(value: float | None) -> float | None:
    """As written in evidence: three decimals.

    >>> rounded(93.33333333)
    93.333
    """
    return None if value is None else half_up(float(value), 3)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
