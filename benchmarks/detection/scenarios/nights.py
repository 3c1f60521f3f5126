"""River's drift detectors over nights, beside two nights alone: a rise of a few beats for days.

Each rule is the engine's own history of nights with a detector alone, beside the two nights (either
opens) or as their confirmation (both must). Settings were chosen on the tune people: of each
detector and way the ones that find most at no more false episodes than ``MATCHED`` a night, over
two-year lives drawn of their own weeks, of about 1,800 settings that were tried.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec.structs import replace
from river import anomaly, drift, stats

from benchmarks.detection import scoring, slow_path
from benchmarks.detection.peers import night_signal
from benchmarks.detection.report import Cell, Table
from benchmarks.detection.scoring import Tally
from benchmarks.detection.sets import DAY, HOUR
from benchmarks.detection.slow_path import Person
from benchmarks.detection.split import GROUPS, Group
from detectors.configuration.loading import load
from detectors.resting_heart_rate.configuration import RestingConfig
from detectors.resting_heart_rate.reference import History, Known, Level

SEED = 7
RISES = tuple((by, days) for by in (3.0, 5.0, 7.0) for days in (3, 7))
LEAST_NIGHTS = 14
BOOTSTRAPPED_NIGHTS, BOOTSTRAPS = 720, 4
"""Long lives made of a person's own weeks, so that a rate of false episodes rests on thousands."""
MATCHED = 0.032
"""False episodes a night of such lives, tune people: what the shipped rule has."""
CONFIRMED_NIGHTS = 2
"""A detector that confirms has detected in this night or one of the two before."""
NONE_YET = 99
SHIPPED = load().everyone.resting
Flags = Callable[[Sequence[Known]], list[bool]]
Way = Literal["alone", "beside", "confirms"]


class Rule(NamedTuple):
    """What judges nights."""

    name: str
    flags: Flags
    state: Callable[[], Any] = lambda: None
    """What the detector keeps of a person, after a year of nights; None: nothing."""


class Other(History):
    """The engine's history of nights, with another detector in the place of its own."""

    test: Any = None
    hot: float | None = None
    """It is given only whether a night is so many bpm above; None: the distance in spreads."""
    way: Way = "beside"
    quiet: int = NONE_YET
    """Nights since it last detected a change."""

    def _judge_pair(self, night: Known, usual: Level, settings: RestingConfig) -> None:
        off = night.value - usual.centre
        distance = off / max(usual.spread, settings.prior_spread)
        reach = settings.clip_spreads
        given = min(reach, max(-reach, distance)) if self.hot is None else off >= self.hot
        self.test.update(given)
        self.quiet = 0 if self.test.drift_detected else self.quiet + 1
        waits = not self.fast.raised and self.quiet > CONFIRMED_NIGHTS
        if self.way == "beside" or (self.way == "confirms" and not waits):
            super()._judge_pair(night, usual, settings)

    def _judge_shift(
        self, night: Known, usual: Level, *, near: bool, settings: RestingConfig
    ) -> None:
        del near
        shift, score = self.shift, usual.score(night.value)
        if shift.raised and score <= settings.shift_clear_spreads:
            shift.rest()
        elif self.way != "confirms" and self.quiet == 0 and score >= settings.dead_band:
            shift.since = shift.raised_at = night.ended


def vigil(**own: float) -> Flags:
    """The engine's own history of nights; ``own``: settings other than the shipped ones."""
    settings: RestingConfig = replace(SHIPPED, **own)
    return lambda nights: _marks(History(), nights, settings)


def of_river(
    make: Callable[[], Any], *, way: Way = "beside", hot: float | None = None, **own: float
) -> Flags:
    """A detector of river's over nights; ``make``: an object with ``update`` and
    ``drift_detected``."""
    settings: RestingConfig = replace(SHIPPED, **own)
    return lambda nights: _marks(Other(test=make(), way=way, hot=hot), nights, settings)


def _marks(history: History, nights: Sequence[Known], settings: RestingConfig) -> list[bool]:
    found = []
    for night in nights:
        history.conclude(night, settings)
        found.append(history.raised)
    return found


class Smoothed:
    """river's exponentially weighted mean of distances, as a detector: at a limit and more."""

    def __init__(self, fading: float, limit: float):
        self._mean, self._limit = stats.EWMean(fading), limit

    def update(self, value: float) -> None:
        """Take a night's distance."""
        self._mean.update(value)

    @property
    def drift_detected(self) -> bool:
        """Whether the mean is at the limit."""
        return bool(self._mean.get() >= self._limit)


class Outlying:
    """river's GaussianScorer over distances, as a detector: so many nights in a row far above."""

    def __init__(self, limit: float, nights: int):
        self._scorer = anomaly.GaussianScorer(grace_period=7, window_size=56)
        self._limit, self._nights, self._row = limit, nights, 0

    def update(self, value: float) -> None:
        """Take a night's distance; what is far is not learned."""
        far = value > 0 and self._scorer.score_one(None, value) >= self._limit
        self._row = self._row + 1 if far else 0
        if not far:
            self._scorer.learn_one(None, value)

    @property
    def drift_detected(self) -> bool:
        """Whether the row is long enough."""
        return self._row >= self._nights


def nightsignal(nights: Sequence[Known]) -> list[bool]:
    """NightSignal's red, on the same nights."""
    found, before, hot = list[bool](), list[float](), -DAY
    for night in nights:
        before.append(round(night.value))
        high = before[-1] >= scoring.middle(before) + night_signal.RED  # type: ignore[operator]
        found.append(high and night.ended - hot <= 1.5 * DAY)
        hot = night.ended if high else hot
    return found


def _river(
    name: str, make: Callable[[], Any], *, way: Way, hot: float | None = None, **own: float
) -> Rule:
    words = {"alone": "alone", "beside": "beside two nights", "confirms": "confirms two nights"}
    flags = of_river(make, way=way, hot=hot, **own)
    return Rule(f"{name}, {words[way]}", flags, lambda: _after_a_year(make(), hot))


def _after_a_year(test: Any, hot: float | None) -> Any:
    random = Random(SEED)
    for _ in range(365):
        value = random.gauss(0.0, 1.0)
        test.update(value if hot is None else value >= 1.0)
    return test


def _own_state() -> Any:
    history, random = History(), Random(SEED)
    for day in range(365):
        history.conclude(Known(day * DAY, 60 + random.gauss(0.0, 3.0), 7.0), SHIPPED)
    return history.shift


def _adwin(delta: float, least: int) -> Any:
    return drift.ADWIN(delta, 1, min_window_length=least, grace_period=7)


def _hddm_a(confidence: float) -> Any:
    return drift.binary.HDDMA(confidence, confidence + 0.1)


def _hddm_w(confidence: float) -> Any:
    return drift.binary.HDDMW(confidence, confidence + 0.1, 0.2)


OFF = 1e9
EAGER = {"least_rise": 3.0, "pair_spreads": 0.8, "clear_spreads": 0.75,
         "dead_band": 0.3, "shift_clear_spreads": 0.25}  # fmt: skip
"""Two nights that a detector confirms."""
NIGHTLY: tuple[Rule, ...] = (
    Rule("NightSignal red, on the same nights", nightsignal),
    Rule("two nights alone, 5.5 bpm, 0.8 spreads",
         vigil(least_rise=5.5, pair_spreads=0.8, clear_spreads=0.75, shift_threshold=OFF)),
    Rule("two nights alone, 5 bpm, 1.05 spreads",
         vigil(least_rise=5.0, pair_spreads=1.05, shift_threshold=OFF)),
    Rule("two nights alone, 6 bpm, 1.2 spreads", vigil(shift_threshold=OFF)),
    Rule("PageHinkley 0.65, 4, beside two nights (shipped)", vigil(), _own_state),
    Rule("PageHinkley 0.5, 4, beside two nights (6 bpm, 1.6 spreads)",
         vigil(shift_delta=0.5, pair_spreads=1.6), _own_state),
    _river("PageHinkley 0.5, 4", lambda: drift.PageHinkley(7, 0.5, 4.0, 0.99, "up"), way="alone"),
    _river("PageHinkley 0.5, 4", lambda: drift.PageHinkley(7, 0.5, 4.0, 0.99, "up"),
           way="confirms", **EAGER),
    _river("ADWIN 0.95", lambda: _adwin(0.95, 2), way="alone"),
    _river("ADWIN 0.8", lambda: _adwin(0.8, 3), way="beside"),
    _river("ADWIN 0.95", lambda: _adwin(0.95, 2), way="confirms", **EAGER),
    _river("KSWIN 0.1, 14 nights", lambda: drift.KSWIN(0.1, 14, 3, seed=SEED), way="alone"),
    _river("KSWIN 0.05, 14 nights", lambda: drift.KSWIN(0.05, 14, 5, seed=SEED), way="beside"),
    _river("HDDM_A 0.4 of nights 5 bpm up", lambda: _hddm_a(0.4), way="alone", hot=5.0),
    _river("HDDM_A 0.1 of nights 4 bpm up", lambda: _hddm_a(0.1), way="beside", hot=4.0),
    _river("HDDM_A 0.4 of nights 2 bpm up", lambda: _hddm_a(0.4), way="confirms", hot=2.0,
           **EAGER),
    _river("HDDM_W 0.05 of nights 3 bpm up", lambda: _hddm_w(0.05), way="alone", hot=3.0),
    _river("HDDM_W 0.05 of nights 4 bpm up", lambda: _hddm_w(0.05), way="beside", hot=4.0,
           pair_spreads=1.6),
    _river("HDDM_W 0.05 of nights 3 bpm up", lambda: _hddm_w(0.05), way="confirms", hot=3.0,
           **EAGER),
    _river("DDM of nights 4 bpm up", lambda: drift.binary.DDM(7, 1.75, 2.5), way="beside",
           hot=4.0),
    _river("EDDM of nights 4 bpm up", lambda: drift.binary.EDDM(3, 0.85, 0.8), way="beside",
           hot=4.0, pair_spreads=1.6),
    _river("FHDDM of nights 4 bpm up", lambda: drift.binary.FHDDM(8, 0.3), way="beside", hot=4.0),
    _river("stats.EWMean 0.3 at 1.1", lambda: Smoothed(0.3, 1.1), way="alone"),
    _river("stats.EWMean 0.3 at 1.3", lambda: Smoothed(0.3, 1.3), way="beside"),
    _river("stats.EWMean 0.5 at 1.3", lambda: Smoothed(0.5, 1.3), way="confirms",
           least_rise=4.0, pair_spreads=1.05),
    _river("GaussianScorer, two nights at 0.98", lambda: Outlying(0.98, 2), way="beside"),
)  # fmt: skip


def openings(nights: Sequence[Known], flags: Sequence[bool]) -> list[float]:
    """When an alert begins; nights in a row are one."""
    ends = [night.ended for night, flag in zip(nights, flags, strict=True) if flag]
    return [b for a, b in zip([-DAY, *ends], ends, strict=False) if b - a > 1.5 * DAY]


def raised(nights: Sequence[Known], start: float, by: float, days: int) -> list[Known]:
    """The nights up to the end of a rise that begins at one of them; half at either end."""
    last = start + days * DAY
    return [
        Known(
            night.ended,
            night.value + by * (0.0 if night.ended < start - HOUR
                                else 0.5 if min(night.ended - start, last - night.ended) < HOUR
                                else 1.0),
            night.hours,
        )
        for night in nights if night.ended <= last + HOUR
    ]  # fmt: skip


def found(person: Person, flags: Flags) -> list[Tally]:
    """Each rise at each night that has room for it: whether an alert began in it."""
    nights, result = person.nights, []
    low, high = person.left_out or (0.0, 0.0)
    for by, days in RISES:
        for night in nights:
            start, end = night.ended, night.ended + days * DAY
            near = low < end and start < high
            if not person.counts(start) or near or end > nights[-1].ended:
                continue
            own = raised(nights, start, by, days)
            hit = any(start - HOUR <= at for at in openings(own, flags(own)))
            result.append(Tally(person.recording.patient_id, hit, 1))
    return result


def bootstrapped(person: Person) -> list[list[Known]]:
    """Two years of nights, drawn week by week from the person's own."""
    low, high = person.left_out or (0.0, 0.0)
    own = [night.value for night in person.nights if not low <= night.ended < high]
    result = []
    for number in range(BOOTSTRAPS):
        random = Random(f"{SEED}:{person.recording.patient_id}:{number}")
        values = list[float]()
        while len(values) < BOOTSTRAPPED_NIGHTS:
            first = random.randrange(max(1, len(own) - 7))
            values += own[first : first + 7]
        result.append([Known((i + 1) * DAY, v, 7.0) for i, v in enumerate(values)])
    return result


def shifts(groups: Sequence[Group] = GROUPS) -> Table:
    """River's drift detectors over nights, beside what Vigil and NightSignal do."""
    crowd = [one for one in slow_path.people() if len(one.nights) >= LEAST_NIGHTS]
    rows: list[tuple[Cell, ...]] = []
    for rule in NIGHTLY:
        for group in groups:
            own = [person for person in crowd if person.recording.group == group]
            rows.append((rule.name, group, *_cells(own, rule.flags), *_cost(crowd, rule)))
    columns = ("detector", "people", "rises of 3 to 7 bpm found",
               "false episodes a night of two-year lives", "false nights a night of those",
               "false episodes a night", "false nights a night", "ill: found [−14, 0] d",
               "µs a night", "bytes a person")  # fmt: skip
    return Table("Nights", "INJECTED", columns, tuple(rows))


def _cells(crowd: Sequence[Person], flags: Flags) -> tuple[Cell, ...]:
    rises = [tally for person in crowd for tally in found(person, flags)]
    false, nightly, ill = list[Tally](), list[Tally](), list[Tally]()
    long, long_nightly = list[Tally](), list[Tally]()
    for person in crowd:
        who, nights, marks = person.recording.patient_id, person.nights, flags(person.nights)
        wrong = sum(person.counts(at) for at in openings(nights, marks))
        counted = [m for n, m in zip(nights, marks, strict=True) if person.counts(n.ended)]
        false.append(Tally(who, wrong, len(counted)))
        nightly.append(Tally(who, sum(counted), len(counted)))
        for life in bootstrapped(person):
            drawn = flags(life)
            many = sum(at > 21 * DAY for at in openings(life, drawn))
            long.append(Tally(who, many, len(life) - 21))
            long_nightly.append(Tally(who, sum(drawn[21:]), len(life) - 21))
        if person.onset is not None:
            near = [(n.ended - person.onset) / DAY for n, m in zip(nights, marks, strict=True) if m]
            ill.append(Tally(who, any(-14 <= day < 1 for day in near), 1))
    return tuple(scoring.rate(one) for one in (rises, long, long_nightly, false, nightly, ill))


def _cost(crowd: Sequence[Person], rule: Rule) -> tuple[Cell, Cell]:
    """Processor µs a night, the whole rule; bytes that the detector adds to what is saved."""
    nights = [person.nights for person in crowd]
    began = time.process_time()
    for own in nights:
        rule.flags(own)
    spent = (time.process_time() - began) / sum(map(len, nights))
    state = rule.state()
    if state is None:
        size = 0
    elif isinstance(state, msgspec.Struct):
        size = len(msgspec.msgpack.encode(state))
    else:
        size = len(pickle.dumps(state))
    return round(spent * 1e6), size
