"""The basis of an alert as pairs of label and value, for clinicians who want to check it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from dashboard.shell.wording import format_duration
from explain.facts.evidence import number as evidence_number
from store.episodes.evidence import Basis
from vigil.domain import figures
from vigil.domain.kinds import KINDS
from vigil.domain.signals import SIGNALS
from vigil.values.rounding import format_half_up, half_up


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the basis."""

    label: str
    value: str
    code: bool = False
    """A hash or an identifier."""
    link: str = ""
    """The address of a page about the value; empty: none."""


_SHOWN_KEYS = {
    "rule",
    "signal",
    "direction",
    "value",
    "extreme",
    "limit",
    "limit_clear",
    "baseline",
    "persistence_seconds",
    "persistence_readings",
    "samples",
    "readings_beyond",
    "longest_gap_seconds",
    "duration_observed",
    "window_seconds",
    "scores",
    "duration_seconds",
    "condition_delay_seconds",
    "signal_delay_seconds",
    "quality",
    "reason",
    "values",
    "parts",
    "contributions",
    "average",
    "nights",
}
"""Evidence keys that have a line of their own; any other key is written as it is."""
_DERIVED_UNITS = {
    "mean_arterial_pressure": "mmHg",
    "pulse_pressure": "mmHg",
    "resting_heart_rate": "bpm",
}
_LARGEST = 1e12
"""No measurement or count is larger; larger numbers are not shown."""
_MAX_DEPTH = 8
"""Of nested tables and lists."""
_SIGN = {"above": "≥", "below": "≤"}


def shown_number(node: Any, *path: str) -> float | None:
    """The number at a path of keys of the evidence; None where there is none of plausible size.

    >>> shown_number({"baseline": {"median": 72}}, "baseline", "median")
    72.0
    """
    value = evidence_number(node, *path)
    return value if value is not None and abs(value) < _LARGEST else None


def format_quantity(signal: str, value: float) -> str:
    """A value of a signal, or of a quantity derived from signals, with its unit.

    >>> format_quantity("heart_rate", 118.5), format_quantity("shock_index", 1.2)
    ('119 bpm', '1.20')
    """
    row = SIGNALS.get(signal)
    unit = row.unit_label if row else _DERIVED_UNITS.get(signal, "")
    return f"{figures.text(signal, value)} {unit}".rstrip()


def _percent(share: float) -> str:
    return f"{format_half_up(half_up(100 * share, 6))}%"


def _seconds(value: float | None) -> str | None:
    return None if value is None else format_duration(timedelta(seconds=min(value, _LARGEST)))


def _limit(evidence: Mapping[str, Any], signal: str) -> Iterator[Fact]:
    limit = shown_number(evidence, "limit")
    if limit is None:
        return
    sign = _SIGN.get(str(evidence.get("direction")), "at")
    text = f"{sign} {format_quantity(signal, limit)}"
    held = _seconds(shown_number(evidence, "persistence_seconds"))
    if held:
        text += f", held for {held}"
    clear = shown_number(evidence, "limit_clear")
    if clear is not None:
        text += f"; over at {format_quantity(signal, clear)} (hysteresis)"
    yield Fact("Limit in force", text)


def _baseline(evidence: Mapping[str, Any], signal: str) -> Iterator[Fact]:
    median, low, high = (
        shown_number(evidence, "baseline", key) for key in ("median", "low", "high")
    )
    if median is None:
        yield Fact("Personal baseline", "none yet: too few readings of this person's own")
        return
    text = f"about {format_quantity(signal, median)}"
    if low is not None and high is not None:
        text += f", usually {format_quantity(signal, low)} to {format_quantity(signal, high)}"
    spread, readings = (shown_number(evidence, "baseline", key) for key in ("spread", "n"))
    notes = []
    if spread is not None:
        notes.append(f"spread {spread:g}")
    if readings is not None:
        notes.append(f"{readings:.0f} readings")
    period = evidence["baseline"].get("bin")
    if isinstance(period, str):
        notes.append(period.replace(":", ", "))
    confidence = shown_number(evidence, "baseline", "confidence")
    if confidence is not None:
        notes.append(f"confidence {_percent(confidence)}")
    yield Fact("Personal baseline", f"{text} ({'; '.join(notes)})" if notes else text)


def _values(evidence: Mapping[str, Any], signal: str) -> Iterator[Fact]:
    value, extreme = shown_number(evidence, "value"), shown_number(evidence, "extreme")
    if value is not None:
        yield Fact("Value at this step", format_quantity(signal, value))
    if extreme is not None:
        yield Fact("Furthest value", format_quantity(signal, extreme))
    together = evidence.get("values")
    if isinstance(together, Mapping) and together:
        measured = (
            f"{SIGNALS[name].label} {format_quantity(name, value)}"
            for name in SIGNALS
            if (value := shown_number(together, name)) is not None
        )
        yield Fact("Measured at that moment", "; ".join(measured))


def _samples(evidence: Mapping[str, Any]) -> Iterator[Fact]:
    samples, window = (
        shown_number(evidence, "samples"),
        _seconds(shown_number(evidence, "window_seconds")),
    )
    if samples is not None:
        yield Fact("Readings used", f"{samples:.0f}" + (f" over {window}" if window else ""))
    beyond = shown_number(evidence, "readings_beyond")
    if beyond is not None:
        yield Fact("Readings beyond", f"{beyond:.0f}")
    gap = _seconds(shown_number(evidence, "longest_gap_seconds"))
    if gap is not None:
        close = evidence.get("duration_observed") is True
        text = "" if close else "; too sparse to say how long it lasted"
        yield Fact("Longest gap between readings", gap + text)
    quality = shown_number(evidence, "quality")
    if quality is not None:
        yield Fact("Data quality", _percent(quality))
    for key, label in (
        ("condition_delay_seconds", "Condition delay (onset to detection)"),
        ("signal_delay_seconds", "Signal delay (measured to received)"),
    ):
        delay = _seconds(shown_number(evidence, key))
        if delay is not None:
            yield Fact(label, delay)


def _together(evidence: Mapping[str, Any]) -> Iterator[Fact]:
    """Further findings of the episode, and the parts of a score or an average."""
    listed = evidence.get("parts")
    for part in listed if isinstance(listed, list) else ():
        kind = KINDS.get(str(part.get("kind"))) if isinstance(part, Mapping) else None
        if kind is not None:
            yield Fact("With it", f"{kind.label}{_part(part)}")
    shares = _by_signal(evidence.get("contributions"))
    if shares:
        ranked = sorted(shares.items(), key=lambda share: -share[1])
        yield Fact("Made of", "; ".join(f"{SIGNALS[name].label} {x:g}" for name, x in ranked))
    means = _by_signal(evidence.get("average"))
    if means:
        measured = (
            f"{SIGNALS[name].label} {format_quantity(name, mean)}" for name, mean in means.items()
        )
        yield Fact("Average", "; ".join(measured))


def _nights(evidence: Mapping[str, Any]) -> Iterator[Fact]:
    """The last nights of a resting heart rate."""
    listed = evidence.get("nights")
    nights = [
        f"{night.get('ended')}: {format_quantity('resting_heart_rate', value)}"
        for night in (listed if isinstance(listed, list) else ())
        if (value := shown_number(night, "value")) is not None
    ]
    if nights:
        yield Fact("Nights", "; ".join(nights))


def _by_signal(node: Any) -> dict[str, float]:
    """The numbers of a table of the evidence, by signal."""
    return {name: value for name in SIGNALS if (value := shown_number(node, name)) is not None}


def _part(part: Mapping[str, Any]) -> str:
    """The value and limit of a further finding, where it has them."""
    signal, value = str(part.get("signal") or ""), shown_number(part, "value")
    text = "" if value is None else f": {format_quantity(signal, value)}"
    limit = shown_number(part, "limit")
    return text if limit is None else f"{text} (limit {format_quantity(signal, limit)})"


def _rest(evidence: Mapping[str, Any]) -> Iterator[Fact]:
    scores = evidence.get("scores")
    if isinstance(scores, Mapping) and scores:
        yield Fact("Scores", "; ".join(f"{name} {score}" for name, score in scores.items()))
    reason = evidence.get("reason")
    if isinstance(reason, str):
        yield Fact("Reason", reason.replace("_", " "))
    for key in sorted(evidence.keys() - _SHOWN_KEYS):
        yield Fact(key.replace("_", " ").capitalize(), _plain(evidence[key]))


def _plain(value: Any, name: str = "", depth: int = 0) -> str:
    """Any evidence as text; what is nested too deep is left out.

    Args:
        name: the quantity that it is a value of, if any.
    """
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        inner = ((key, _plain(item, str(key), depth + 1)) for key, item in value.items())
        return "; ".join(f"{key} {text}" for key, text in inner)
    if isinstance(value, list):
        return ", ".join(_plain(item, depth=depth + 1) for item in value)
    return figures.text(name, value) if isinstance(value, float) else str(value)


def _origin(basis: Basis) -> Iterator[Fact]:
    rule = basis.evidence.get("rule")
    if isinstance(rule, str):
        yield Fact("Rule", rule, code=True)
    yield Fact("Detector version", basis.detector_version, code=True)
    yield Fact("Configuration", basis.config_hash, code=True)
    made = basis.provenance
    if made:
        author = {"model": "language model", "phrasebook": "phrasebook, computed ahead"}
        name = str(made.get("author", ""))
        yield Fact("Words by", author.get(name, "reviewed template"))
        entry = str(made.get("entry", ""))
        link = f"/board/phrasebook/{quote(entry, safe='')}" if name in author else ""
        yield Fact("Entry", entry, code=True, link=link)
        yield Fact("Verifier", str(made.get("verdict", "passed")))
        if made.get("refused"):
            yield Fact("Refused before", ", ".join(map(str, made["refused"])))
        for key, label in (("model", "Model"), ("prompt_hash", "Prompt hash")):
            if made.get(key):
                yield Fact(label, str(made[key]), code=True)


def list_facts(basis: Basis) -> list[Fact]:
    """The lines of the basis of an episode's newest step."""
    evidence, signal = basis.evidence, str(basis.evidence.get("signal") or "")
    activity = basis.context.get("activity")
    shown = [*_limit(evidence, signal)]
    if "baseline" in evidence or signal in SIGNALS:
        shown += _baseline(evidence, signal)
    shown += [*_values(evidence, signal), *_together(evidence), *_nights(evidence)]
    shown += _samples(evidence)
    if isinstance(activity, str):
        shown.append(Fact("Activity", activity))
    return [*shown, *_rest(evidence), *_origin(basis)]
