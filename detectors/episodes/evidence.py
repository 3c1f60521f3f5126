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

from msgspec.structs import replace

from detectors.contract import Detector, Moment
from detectors.episodes import severity
from detectors.episodes.configuration import EpisodePolicy
from detectors.episodes.grouping import Part
from detectors.episodes.memory import EpisodeMemory
from detectors.episodes.tracker import UNOBSERVED, Step
from detectors.limits.combination import combine
from detectors.limits.configuration import DERIVED
from vigil.domain import figures, ids
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Context
from vigil.domain.signals import NAMES
from vigil.values.rounding import half_up

DETECTOR_VERSION = "5"
"""Goes up when the same log and configuration would give other events."""

OBSERVED_READINGS = 3
"""Fewer bear no duration: two readings an hour apart show two moments, and not an hour."""


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
    policy: EpisodePolicy,
    known: Iterable[tuple[Detector, Any]],
) -> Event:
    """The event of a step.

    Args:
        policy: of the step's kind.
        known: each detector with its memory of the patient.
    """
    kind, episode = KINDS[step.kind], step.episode
    moment = _seen(step, moment, retrospective=origin.retrospective)
    onset, named_by = _moment(episode.onset), _moment(episode.named_by)
    own = (episode.signal,) if episode.signal and kind.category == "technical" else ()
    return Event(
        episode_id=ids.episode_id(origin.patient_id, step.kind, named_by),
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
        evidence=_evidence(step, moment, origin=origin, policy=policy, known=known),
        context=Context(moment.activity, moment.steps_per_min, None, moment.contact),
        detector_version=DETECTOR_VERSION,
        config_hash=origin.config_hash,
        synthetic=origin.synthetic,
    )


def _seen(step: Step, moment: Moment, *, retrospective: bool) -> Moment:
    """A moment as far as it is one of the finding's: another reading's activity is not, nor are its
    values, but for those of a part that is announced now."""
    if KINDS[step.kind].category == "clinical" and _is_unread(step, moment):
        moment = replace(moment, activity="unknown", steps_per_min=None, contact=None)
        of_part = step.change in {"parts", "joined"} and not retrospective
        moment = replace(moment, context_source="", values=moment.values if of_part else {})
    if step.episode.reason == UNOBSERVED:
        moment = replace(moment, values={}, scores={})
    return moment


def _is_unread(step: Step, moment: Moment) -> bool:
    """Whether a step came without a reading that its kind was judged by: with one of other signals,
    or of a part of them, or with a tick."""
    return step.finding is None and step.episode.last != moment.time


def _evidence(
    step: Step,
    moment: Moment,
    *,
    origin: Origin,
    policy: EpisodePolicy,
    known: Iterable[tuple[Detector, Any]],
) -> dict[str, Any]:
    episode, now = step.episode, step.episode.known
    facts: dict[str, Any] = {
        **_severity(step),
        **_judged_values(step, moment),
        "rule": episode.rule,
        "signal": episode.signal or None,
        "direction": episode.direction or None,
        "persistence_seconds": rounded(episode.condition_seconds),
        "persistence_readings": episode.readings,
        "samples": episode.samples,
        "window_seconds": rounded(now - episode.onset),
        "condition_delay_seconds": rounded(now - episode.onset),
        "signal_delay_seconds": rounded(moment.received - moment.time),
        "quality": half_up(origin.quality, 2),
        "context_source": moment.context_source or None,
        "parts": [_part(part) for part in step.parts] or None,
        "first_onset": _first_onset(episode),
        **_lasting(step, moment),
    }
    evidence = {key: value for key, value in facts.items() if value is not None}
    if KINDS[step.kind].category == "clinical":
        evidence.update(_observed(episode, policy))
    if step.finding is not None and step.finding.facts:
        evidence.update(step.finding.facts)
    for detector, memory in known:
        _add(evidence, detector.evidence(moment, memory, episode.signal))
    scores = _scores(moment, episode.signal, KINDS[step.kind].signals)
    if scores:
        evidence["scores"] = {**scores, **evidence.get("scores", {})}
    return evidence


def _judged_values(step: Step, moment: Moment) -> dict[str, Any]:
    """What was measured and judged, as figures."""
    episode, value = step.episode, judged(step.episode.signal, _value(step, moment))
    return {
        "values": {name: judged(name, value) for name, value in moment.values.items()},
        "value": value,
        "extreme": judged(episode.signal, episode.extreme),
        "limit": judged(episode.signal, episode.limit),
        "limit_clear": judged(episode.signal, episode.limit_clear),
        "within_limits": _within_limits(step, value),
    }


def _lasting(step: Step, moment: Moment) -> dict[str, Any]:
    """How long it lasted: where a step came without a reading that its kind was judged by, up to
    the latest one."""
    episode, kind = step.episode, KINDS[step.kind]
    if step.ended_at is not None:
        return {"duration_seconds": rounded(step.ended_at - episode.onset)}
    if kind.category == "technical" or not _is_unread(step, moment):
        return {"duration_seconds": rounded(episode.known - episode.onset)}
    return {
        "duration_seconds": rounded(episode.last - episode.onset),
        "last_reading": ids.timestamp(_moment(episode.last)),
    }


def _within_limits(step: Step, value: float | None) -> bool | None:
    """Whether a finding that lasts is within all limits of its kind at this step; None: its value
    is not, or, where the step has none, its latest one was not.

    Args:
        value: the judged one, as a figure.
    """
    episode = step.episode
    if step.phase == "closed" or KINDS[step.kind].category != "clinical":
        return None
    limit = judged(episode.signal, episode.limit)
    if value is None or limit is None or not episode.direction:
        return True if episode.within else None
    past = value >= limit if episode.direction == "above" else value <= limit
    return None if past else episode.within


def _first_onset(episode: EpisodeMemory) -> str | None:
    """The onset that it was opened with, where it is known to have begun earlier."""
    return ids.timestamp(_moment(episode.first_onset)) if episode.first_onset else None


def _severity(step: Step) -> dict[str, Any]:
    """What changed, and why it ended."""
    return {
        "change": step.change or None,
        "highest_priority": severity.highest(step.episode),
        "reason": step.episode.reason or None,
    }


def _observed(episode: EpisodeMemory, policy: EpisodePolicy) -> dict[str, Any]:
    """How closely the episode was observed, and whether that bears a duration."""
    near = episode.longest_gap <= policy.observed_gap_seconds
    return {
        "readings_beyond": episode.beyond,
        "longest_gap_seconds": rounded(episode.longest_gap),
        "duration_observed": near and episode.times >= OBSERVED_READINGS,
    }


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
        "within_limits": part.within or None,
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
