"""The smallest loosening that keeps to a budget, found by playing the history again.

Every trial is a whole configuration played over the history, nothing is estimated. For each scope
that is over its budget (a ward, or a patient):

    1. each figure alone, at each of its steps, and all of them at their bounds together, are
       played. If even that is too many alarms, nothing is proposed.
    2. if one figure alone reaches the budget, the one that takes the fewest steps is it; otherwise
       the one that saves most alarms a step is kept, and 1 is repeated on top of it.
    3. steps are taken back one by one as long as the budget is still kept.

So no single step of the result can be taken back. It is not promised that no wholly different set
of figures has fewer steps. A trial that changes one byte of what is announced at high priority is
never chosen (:meth:`detectors.tuning.ledger.Ledger.high`).

Only people who have an alarm of a kind are played again for a figure of that kind: a looser figure
is silent where the tighter one announced nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from detectors.configuration.loading import DetectionConfig, from_tables
from detectors.configuration.patient import PatientConfig
from detectors.tuning.backtest import Run
from detectors.tuning.budget import counts
from detectors.tuning.knobs import Knob, knobs, with_values
from detectors.tuning.ledger import Alarm, Ledger
from vigil.domain.reading import Upload
from vigil.service.errors import SettingsError

Values = dict[tuple[str, ...], float]
"""Path of a figure → what it is to be."""
Uploads = Callable[[], Iterable[Upload]]
"""The history, from its beginning each time."""


@dataclass
class Scope:
    """One ward or patient whose alarms are over the budget."""

    name: str
    where: tuple[str, ...]
    """Below which tables its figures are, as ``("wards", "icu")``."""
    config: PatientConfig
    people: frozenset[str]
    most: float
    """Alarms that its people may have had over the whole history."""
    base: list[Alarm]
    """Of its people, as things are, late ones too."""
    values: Values = field(default_factory=dict)
    """What is proposed."""
    count: int = 0
    """Alarms that count, with ``values``."""
    least: int = 0
    """The fewest that the bounds allow, as far as was played."""
    met: bool = False


@dataclass(frozen=True, slots=True)
class _Trial:
    scope: Scope
    values: Values
    steps: int
    """How many steps its newest figure takes."""
    people: frozenset[str]
    """Whose alarms may be announced otherwise."""
    run: Run


@dataclass
class Search:
    """Finds what to propose for scopes that share no patient, all of them in the same passes."""

    own: Mapping[str, Any]
    """The operator's tables."""
    uploads: Uploads
    one_by_one: bool = False
    passes: int = 0
    """How often the history was played."""

    def narrow(self, scopes: Iterable[Scope]) -> None:
        """Fill in each scope's ``values``, and whether they keep to the budget."""
        open_ones = list(scopes)
        for scope in open_ones:
            scope.count = scope.least = sum(map(counts, scope.base))
        while open_ones:
            trials = [t for scope in open_ones for t in self._further(scope)]
            self._play(trials)
            open_ones = [
                scope
                for scope in open_ones
                if self._choose(scope, [t for t in trials if t.scope is scope])
            ]
        self._take_back([scope for scope in scopes if scope.met and scope.values])

    def _further(self, scope: Scope) -> Iterator[_Trial]:
        """Each figure alone at each step beyond what is chosen; last, all at their bounds."""
        known = _useful(scope)
        bounds: Values = {knob.path: knob.rungs[-1] for knob in known}
        for knob in known:
            left = [rung for rung in knob.rungs if _beyond(knob, rung, scope.values)]
            for steps, rung in enumerate(left, 1):
                yield from self._trial(scope, {**scope.values, knob.path: rung}, steps)
        if bounds and bounds != scope.values:
            yield from self._trial(scope, bounds, 0)

    def _trial(self, scope: Scope, values: Values, steps: int) -> Iterator[_Trial]:
        try:
            config = from_tables(with_values(self.own, scope.where, values))
        except SettingsError:  # as where a limit would be beyond the high-priority one
            return
        kinds = {knob.kind for knob in knobs(scope.config) if knob.path in values}
        people = frozenset(alarm.patient_id for alarm in scope.base if alarm.kind in kinds)
        yield _Trial(scope=scope, values=values, steps=steps, people=people, run=self._run(config))

    def _run(self, config: DetectionConfig) -> Run:
        return Run(config, one_by_one=self.one_by_one)

    def _play(self, trials: Iterable[_Trial]) -> None:
        of: dict[str, list[Run]] = {}
        for trial in trials:
            for patient in trial.people:
                of.setdefault(patient, []).append(trial.run)
        if not of:
            return
        self.passes += 1
        for upload in self.uploads():
            for run in of.get(upload.patient_id, ()):
                run.take(upload)

    def _choose(self, scope: Scope, trials: list[_Trial]) -> bool:
        """Keep the best trial; whether there is more to do."""
        allowed = [(_count(trial), trial) for trial in trials if _high_is_kept(trial)]
        scope.least = min([scope.least, *(count for count, _ in allowed)])
        single = [(count, trial) for count, trial in allowed if trial.steps]
        enough = [(trial.steps, count, trial) for count, trial in single if count <= scope.most]
        if enough:
            _, scope.count, best = min(enough, key=lambda row: row[:2])
            scope.values, scope.met = best.values, True
            return False
        bounds = [(count, trial) for count, trial in allowed if not trial.steps]
        saving = [(count, trial) for count, trial in single if count < scope.count]
        if not saving or (bounds and scope.least > scope.most):
            scope.values = {}
            scope.count = sum(map(counts, scope.base))
            return False
        count, best = min(saving, key=lambda row: ((row[0] - scope.count) / row[1].steps, row[0]))
        scope.values, scope.count = best.values, count
        return True

    def _take_back(self, scopes: list[Scope]) -> None:
        """Undo steps that turned out not to be needed."""
        while scopes:
            trials = [t for scope in scopes for t in self._nearer(scope)]
            self._play(trials)
            scopes = [
                scope
                for scope in scopes
                if _nearest(scope, [t for t in trials if t.scope is scope])
            ]

    def _nearer(self, scope: Scope) -> Iterator[_Trial]:
        """What is chosen with one step less of one figure."""
        if len(scope.values) < 2:
            return  # one figure alone: its fewest steps were chosen
        for knob in knobs(scope.config):
            if knob.path not in scope.values:
                continue
            place = knob.rungs.index(scope.values[knob.path])
            values = {path: value for path, value in scope.values.items() if path != knob.path}
            if place:
                values[knob.path] = knob.rungs[place - 1]
            yield from self._trial(scope, values, 1)


def _nearest(scope: Scope, trials: list[_Trial]) -> bool:
    """Take a step back where one can be; whether another may follow."""
    kept = [(_count(t), t) for t in trials if _high_is_kept(t)]
    kept = [(count, trial) for count, trial in kept if count <= scope.most]
    if not kept:
        return False
    scope.count, best = min(kept, key=lambda row: row[0])
    scope.values = best.values
    return True


def _useful(scope: Scope) -> list[Knob]:
    """Figures of kinds that made an alarm under high priority."""
    announced = {alarm.kind for alarm in scope.base if counts(alarm) and alarm.priority != "high"}
    return [knob for knob in knobs(scope.config) if knob.kind in announced]


def _beyond(knob: Knob, rung: float, values: Values) -> bool:
    """Whether a step is beyond what is chosen already."""
    chosen = values.get(knob.path)
    return chosen is None or knob.rungs.index(rung) > knob.rungs.index(chosen)


def _count(trial: _Trial) -> int:
    """Alarms that count: of those played again, and of the others as things are."""
    again = sum(counts(alarm) for alarm in trial.run.ledger.alarms())
    others = (alarm for alarm in trial.scope.base if alarm.patient_id not in trial.people)
    return again + sum(map(counts, others))


def _high_is_kept(trial: _Trial) -> bool:
    """Whether those played again get the same at high priority, byte for byte."""
    before = Ledger.from_alarms(a for a in trial.scope.base if a.patient_id in trial.people)
    return before.high() == trial.run.ledger.high()
