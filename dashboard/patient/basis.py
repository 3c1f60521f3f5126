"""What an alert rests on, as pairs of label and value: the sceptical clinician's questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from dashboard.shell.wording import duration
from store.episodes.evidence import Basis
from vigil.domain import figures
from vigil.domain.kinds import KINDS
from vigil.domain.signals import SIGNALS
from vigil.values.numbers import finite_number
from vigil.values.rounding import half_up, written


class Fact(NamedTuple):
    """One line of the basis."""

    label: str
    value: str
    code: bool = False
    """A hash or an identifier."""
    link: str = ""
    """Where the value is explained; empty: nowhere."""


_TOLD = {
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
"""Evidence that has a line of its own; any other key is written as it is."""
_DERIVED_UNITS = {
    "mean_arterial_pressure": "mmHg",
    "pulse_pressure": "mmHg",
    "resting_heart_rate": "bpm",
}
_LARGEST = 1e12
"""Nothing measured or counted is larger; what claims to be is not shown."""
_DEEPEST = 8
"""Tables and lists within each other."""
_SIGN = {"above": "≥", "below": "≤"}


def number(node: Any, *path: str) -> float | None:
    """A finite number somewhere in the evidence, or None: any key may be absent or odd.

    >>> number({"baseline": {"median": 72}}, "baseline", "median")
    72.0
    """
    for key in path:
        node = node.get(key) if isinstance(node, Mapping) else None
    value = finite_number(node)
    return value if value is not None and abs(value) < _LARGEST else None


def quantity(signal: str, value: float) -> str:
    """A value of a signal, or of a quantity derived from signals, with its unit.

    >>> quantity("heart_rate", 118.5), quantity("shock_index", 1.2)
    ('119 bpm', '1.20')
    """
    row = SIGNALS.get(signal)
    unit = row.unit_label if row else _DERIVED_UNITS.get(signal, "")
    return f"{figures.text(signal, value)} {unit}".rstrip()


def _percent(share: float) -> str:
    return f"{written(half_up(100 * share, 6))}%"


def _seconds(value: float | None) -> str | None:
    return None if value is None else duration(timedelta(seconds=min(value, _LARGEST)))


def _limit(evidence: Mapping[str, Any], signal: str) -> Iterator[Fact]:
    limit = number(evidence, "limit")
    if limit is None:
        return
    sign = _SIGN.get(str(evidence.get("direction")), "at")
    text = f"{sign} {quantity(signal, limit)}"
    held = _seconds(number(evidence, "persistence_seconds"))
    if held:
        text += f", held for {held}"
    clear = number(evidence, "limit_clear")
    if clear is not None:
        text += f"; over at {quantity(signal, clear)} (hysteresis)"
    yield Fact("Limit in force", text)


def _baseline(evidence: Mapping[str, Any], signal: str) -> Iterator[Fact]:
    median, low, high = (number(evidence, "baseline", key) for key in ("median", "low", "high"))
    if median is None:
        yield Fact("Personal baseline", "none yet: too few readings of this person's own")
        return
    text = f"about {quantity(signal, median)}"
    if low is not None and high is not None:
        text += f", usually {quantity(signal, low)} to {quantity(signal, high)}"
    spread, readings = (number(evidence, "baseline", key) for key in ("spread", "n"))
    notes = []
    if spread is not None:
        notes.append(f"spread {spread:g}")
    if readings is not None:
        notes.append(f"{readings:.0f} readings")
    period = evidence["baseline"].get("bin")
    if isinstance(period, str):
        notes.append(period.replace(":", ", "))
    confidence = number(evidence, "baseline", "confidence")
    if confidence is not None:
        notes.append(f"confidence {_percent(confidence)}")
    yield Fact("Personal baseline", f"{text} ({'; '.join(notes)})" if notes else text)


def _values(evidence: Mapping[str, Any], signal: str) -> Iterator[Fact]:
    value, extreme = number(evidence, "value"), number(evidence, "extreme")
    if value is not None:
        yield Fact("Value at this step", quantity(signal, value))
    if extreme is not None:
        yield Fact("Furthest value", quantity(signal, extreme))
    together = evidence.get("values")
    if isinstance(together, Mapping) and together:
        told = (
            f"{SIGNALS[name].label} {quantity(name, value)}"
            for name in SIGNALS
            if (value := number(together, name)) is not None
        )
        yield Fact("Measured at that moment", "; ".join(told))


def _samples(evidence: Mapping[str, Any]) -> Iterator[Fact]:
    samples, window = number(evidence, "samples"), _seconds(number(evidence, "window_seconds"))
    if samples is not None:
        yield Fact("Readings used", f"{samples:.0f}" + (f" over {window}" if window else ""))
    quality = number(evidence, "quality")
    if quality is not None:
        yield Fact("Data quality", _percent(quality))
    for key, label in (
        ("condition_delay_seconds", "Condition delay (onset to detection)"),
        ("signal_delay_seconds", "Signal delay (measured to received)"),
    ):
        delay = _seconds(number(evidence, key))
        if delay is not None:
            yield Fact(label, delay)


def _together(evidence: Mapping[str, Any]) -> Iterator[Fact]:
    """What else holds within the episode, and what a score or an average is made of."""
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
        told = (f"{SIGNALS[name].label} {quantity(name, mean)}" for name, mean in means.items())
        yield Fact("Average", "; ".join(told))


def _nights(evidence: Mapping[str, Any]) -> Iterator[Fact]:
    """The last nights of a resting heart rate."""
    listed = evidence.get("nights")
    told = [
        f"{night.get('ended')}: {quantity('resting_heart_rate', value)}"
        for night in (listed if isinstance(listed, list) else ())
        if (value := number(night, "value")) is not None
    ]
    if told:
        yield Fact("Nights", "; ".join(told))


def _by_signal(node: Any) -> dict[str, float]:
    """The figures that a table of the evidence has by signal."""
    return {name: value for name in SIGNALS if (value := number(node, name)) is not None}


def _part(part: Mapping[str, Any]) -> str:
    """A further finding's value and limit, as far as it has them."""
    signal, value = str(part.get("signal") or ""), number(part, "value")
    text = "" if value is None else f": {quantity(signal, value)}"
    limit = number(part, "limit")
    return text if limit is None else f"{text} (limit {quantity(signal, limit)})"


def _rest(evidence: Mapping[str, Any]) -> Iterator[Fact]:
    scores = evidence.get("scores")
    if isinstance(scores, Mapping) and scores:
        yield Fact("Scores", "; ".join(f"{name} {score}" for name, score in scores.items()))
    reason = evidence.get("reason")
    if isinstance(reason, str):
        yield Fact("Reason", reason.replace("_", " "))
    for key in sorted(evidence.keys() - _TOLD):
        yield Fact(key.replace("_", " ").capitalize(), _plain(evidence[key]))


def _plain(value: Any, name: str = "", depth: int = 0) -> str:
    """Any evidence as text; what is nested too deep to be read is left out.

    Args:
        name: the quantity that it is a value of, if it is one.
    """
    if depth > _DEEPEST:
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


def facts(basis: Basis) -> list[Fact]:
    """Everything that an episode's newest step rests on."""
    evidence, signal = basis.evidence, str(basis.evidence.get("signal") or "")
    activity = basis.context.get("activity")
    told = [*_limit(evidence, signal)]
    if "baseline" in evidence or signal in SIGNALS:
        told += _baseline(evidence, signal)
    told += [*_values(evidence, signal), *_together(evidence), *_nights(evidence)]
    told += _samples(evidence)
    if isinstance(activity, str):
        told.append(Fact("Activity", activity))
    return [*told, *_rest(evidence), *_origin(basis)]
