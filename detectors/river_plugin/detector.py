"""River's own anomaly and drift detectors, by configuration: ``[plugins.NAME]``.

An *anomaly* detector scores what a reading holds before it learns it; the condition holds from
``threshold`` on and is over under ``clear``. A filter (``ThresholdFilter``, ``QuantileFilter``)
decides itself. A *drift* detector learns one input at a time, and the condition holds for
``hold_seconds`` after it has detected a drift; since detecting is learning, it is announced with
the next reading. A *binary* drift detector learns whether the input is at least ``event_above``
from zero.

A plug-in never stops the others: one that raises is muted for that patient, until its table
changes, and logged once. One whose state would grow past ``largest_bytes`` learns no more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from copy import deepcopy
from hashlib import sha256
from math import isfinite
from random import Random
from typing import Any, ClassVar

import msgspec

from detectors.contract import BETWEEN, BEYOND, CLEAR, Finding, FindingsOnly, Moment, Rule, Stance
from detectors.river_plugin import pickles, river_models
from detectors.river_plugin.configuration import PluginConfig
from vigil.domain.kinds import KINDS
from vigil.service import logs

log = logs.get("detectors")

SIZED_EVERY = 1000
"""Readings learned between two looks at the size of a state."""
REHEARSED = 300
"""Readings of the made-up life that a plug-in is tried with when it is made."""
NEVER = -1e12


class Learned:
    """What one plug-in knows of one patient."""

    __slots__ = ("drifted", "last", "model", "muted", "readings")

    def __init__(self, model: Any):
        self.model = model
        self.readings = 0
        self.last = NEVER
        """Time of the last reading learned."""
        self.drifted = NEVER
        """When a drift was last detected."""
        self.muted = ""
        """Why it does nothing more: the name of an error."""


class Judge:
    """One ``[plugins.NAME]`` table, made ready."""

    def __init__(self, name: str, plugin: PluginConfig):
        self.name = f"plugins.{name}"
        self.plugin = plugin
        model = self.build()
        last = river_models.last_of(model)
        self.drift = isinstance(last, river_models.DRIFT)
        self.binary = isinstance(last, river_models.BINARY)
        self.decides = isinstance(last, river_models.FILTER)
        self._piped = last is not model
        self._supervised = not self.drift and bool(model._supervised)
        self._reported = False
        self.pure = True
        """Whether scoring leaves the model as it was. Where it does not, a copy is scored."""
        self.digest = sha256(msgspec.json.encode(plugin, order="deterministic")).hexdigest()[:8]
        """A state learned under another table is not this one's."""
        self._keys = {
            signal: f"baseline.{signal}" if plugin.input == "residuals" else signal
            for signal in plugin.signals
        }
        kind, only = KINDS[plugin.kind], plugin.signals[0] if len(plugin.signals) == 1 else ""
        self.rule = Rule(
            name=self.name,
            detector="plugins",
            kind=plugin.kind,
            signal=only,
            direction="",
            priority=kind.priority,
            rank=3,
            seconds=plugin.seconds,
            unknown_seconds=plugin.seconds,
            readings=plugin.readings,
        )

    def rehearse(self) -> int:
        """Live a made-up, seeded life; find out whether scoring is pure. Returns bytes of state."""
        source, learned = Random(0), Learned(self.build())  # noqa: S311
        reported, self._reported = self._reported, True
        for i in range(REHEARSED):
            values = {signal: 80.0 + source.gauss(0, 8) for signal in self.plugin.signals}
            scores = {f"baseline.{signal}": source.gauss(0, 1.5) for signal in values}
            moment = Moment(
                time=i * 1e6,
                received=i * 1e6,
                values=values,
                activity="rest",
                period="rest:day",
                scores=scores,
            )
            self.learn(moment, learned, ())
        before = pickles.dumps(learned.model)
        if not self.drift:
            x = dict.fromkeys(self.plugin.signals, 83.0)
            self._guarded(learned, lambda: self._score(learned.model, x, keep=False))
            self.pure = pickles.dumps(learned.model) == before
        self._reported = reported
        return len(before)

    def build(self) -> Any:
        """A model that has learned nothing."""
        plugin = self.plugin
        return river_models.build(plugin.detector, plugin.parameters, plugin.transform)

    def input(self, moment: Moment) -> dict[str, float] | None:
        """What the model is given; None where the reading lacks a part of it."""
        source = moment.scores if self.plugin.input == "residuals" else moment.values
        taken = {signal: source.get(key) for signal, key in self._keys.items()}
        whole = all(value is not None for value in taken.values())
        return taken if whole else None  # type: ignore[return-value]

    def examine(self, moment: Moment, learned: Learned) -> Finding | None:
        """Its finding at a moment; a calm one only while its kind is pending or open."""
        if learned.muted:
            finding: Finding | None = self._finding(moment, CLEAR, {})
        elif self.drift:
            holds = 0 <= moment.time - learned.drifted < self.plugin.hold_seconds
            since = learned.drifted if holds else None
            finding = self._finding(moment, BEYOND if holds else CLEAR, facts={}, since=since)
        else:
            finding = self._scored(moment, learned)
        calm = finding is not None and finding.stance == CLEAR
        return None if calm and self.plugin.kind not in moment.watched else finding

    def _scored(self, moment: Moment, learned: Learned) -> Finding | None:
        """The finding of an anomaly detector, where it can score."""
        x = self.input(moment)
        if x is None or learned.readings < self.plugin.warmup_readings:
            return None
        score = self._guarded(learned, lambda: self._score(learned.model, x, keep=True))
        if not isinstance(score, (int, float)) or not isfinite(score):
            return None
        moment.scores[self.name] = float(score)
        stance, limit = self._stance(learned, score)
        facts = {"score": round(float(score), 3)}
        if limit is not None:
            facts["score_limit"] = round(limit, 3)
        return self._finding(moment, stance, facts)

    def learn(self, moment: Moment, learned: Learned, frozen: Collection[str]) -> None:
        """Learn a moment, unless it must not."""
        plugin = self.plugin
        soon = moment.time - learned.last < plugin.learn_every_seconds
        if learned.muted or soon or not self._keys.keys().isdisjoint(frozen):
            return
        x = self.input(moment)
        if x is None:
            return
        learned.last = moment.time
        learned.readings += 1
        self._guarded(learned, lambda: self._learn(moment, learned, x))
        if learned.readings % SIZED_EVERY == 0 and not learned.muted:
            size = len(pickles.dumps(learned.model))
            if size > plugin.largest_bytes:
                self._mute(learned, "too_large")

    def dump(self, learned: Learned) -> Any:
        """Its numbers, and the model as bytes."""
        model = b"" if learned.muted else pickles.dumps(learned.model)
        return [
            self.digest,
            learned.readings,
            learned.last,
            learned.drifted,
            learned.muted,
            model,
        ]

    def load(self, plain: Any) -> Learned:
        """The same again; afresh where the table has changed since."""
        digest, readings, last, drifted, muted, model = plain
        if digest != self.digest:
            return Learned(self.build())
        learned = Learned(pickles.loads(model) if model else self.build())
        learned.readings, learned.last = readings, last
        learned.drifted, learned.muted = drifted, muted
        return learned

    def _score(self, model: Any, x: dict[str, float], keep: bool) -> Any:
        """The model's score. ``keep``: leave the model as it is."""
        if keep and not self.pure:
            model = deepcopy(model)
        rest, named = self._given(x)
        return model.score_one(*rest, **named)

    def _learn(self, moment: Moment, learned: Learned, x: dict[str, float]) -> None:
        model, first = learned.model, self.plugin.signals[0]
        if self.drift:
            value: float = x[first]
            if self.binary:
                value = abs(value) >= (self.plugin.event_above or 0.0)
            model.update(value)
            if model.drift_detected:
                learned.drifted = moment.time
            return
        if not self.pure and learned.readings > self.plugin.warmup_readings:
            self._score(model, x, keep=False)
        rest, named = self._given(x)
        model.learn_one(*rest, **named)

    def _given(self, x: dict[str, float]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """How a model takes its input: one that is supervised, the first signal as its target."""
        if not self._supervised:
            return (x,), {}
        first, *others = self.plugin.signals
        rest, target = {name: x[name] for name in others}, x[first]
        return ((rest,), {"y": target}) if self._piped else ((rest, target), {})

    def _stance(self, learned: Learned, score: float) -> tuple[Stance, float | None]:
        """Beyond or not, and the score's limit where there is one."""
        if self.decides:
            last = river_models.last_of(learned.model)
            limit = last.threshold if hasattr(last, "threshold") else last.quantile.get()
            return (BEYOND if last.classify(score) else CLEAR), limit
        limit = self.plugin.threshold
        assert limit is not None  # noqa: S101  (detectors.configuration.plugin_checks holds it)
        clear = limit if self.plugin.clear is None else self.plugin.clear
        stance = BEYOND if score >= limit else CLEAR if score < clear else BETWEEN
        return stance, limit

    def _finding(
        self, moment: Moment, stance: Stance, facts: Mapping[str, Any], since: float | None = None
    ) -> Finding:
        value = moment.values.get(self.rule.signal)
        return Finding(self.rule, stance, value, since=since, facts=facts)

    def _guarded(self, learned: Learned, do: Callable[[], Any]) -> Any:
        """Do it; if that raises, mute the plug-in for this patient."""
        try:
            return do()
        except Exception as error:  # whatever a model does, the ward goes on
            self._mute(learned, type(error).__name__)
            return None

    def _mute(self, learned: Learned, why: str) -> None:
        learned.muted, learned.model = why, self.build()
        if not self._reported:
            self._reported = True
            log.warning("plug-in muted", plugin=self.name, code="detection.plugin_muted", why=why)


class Plugins(FindingsOnly):
    """All plug-ins of a configuration, as one detector of the pipeline."""

    name: ClassVar[str] = "plugins"

    def __init__(self, plugins: Mapping[str, PluginConfig]):
        self._judges = {
            name: Judge(name, plugin) for name, plugin in plugins.items() if plugin.enabled
        }
        for judge in self._judges.values():
            judge.rehearse()
        self.signals = frozenset(s for j in self._judges.values() for s in j.plugin.signals)

    def rules(self) -> Iterable[str]:
        """One a plug-in."""
        return [judge.rule.name for judge in self._judges.values()]

    def fresh(self) -> dict[str, Learned]:
        """Untaught models."""
        return {name: Learned(judge.build()) for name, judge in self._judges.items()}

    def examine(self, moment: Moment, memory: dict[str, Learned]) -> Iterable[Finding]:
        """One finding for each plug-in that has one."""
        found = [judge.examine(moment, memory[name]) for name, judge in self._judges.items()]
        return [finding for finding in found if finding is not None]

    def learn(self, moment: Moment, memory: dict[str, Learned], frozen: Collection[str]) -> None:
        """Each plug-in learns at its own pace."""
        for name, judge in self._judges.items():
            judge.learn(moment, memory[name], frozen)

    def dump(self, memory: dict[str, Learned]) -> Any:
        """``{name: [digest, readings, last, drifted, muted, model]}``."""
        return {name: judge.dump(memory[name]) for name, judge in self._judges.items()}

    def load(self, plain: Any) -> dict[str, Learned]:
        """The memory from :meth:`dump`; a plug-in that is new begins afresh."""
        return {
            name: judge.load(plain[name]) if name in (plain or {}) else Learned(judge.build())
            for name, judge in self._judges.items()
        }
