"""A person's own nights, and the evidence that the nights of late are above them.

Distances are in *spreads*: standard deviations between this person's own nights. Three questions
are asked of each night that is over:

* **Are these nights raised?** The mean distance of the last two nights from the *reference*, the
  median of ``reference_nights``. Each night is clipped, so that one odd night proves nothing, and
  both must be past a dead band. Sums over more nights were measured to be worse: real nights wander
  for a week at a time, and a longer sum gathers that.
* **Have they shifted?** river's Page-Hinkley test on the distances from the reference
  (:mod:`detectors.resting_heart_rate.shift`): a rise that is too small for two nights and lasts.
* **Has the level crept up?** A one-sided cumulative sum (CUSUM; Page, Biometrika 1954) of
  the distances from the *anchor* less a slack. The anchor follows the reference by at most
  ``anchor_step`` a night: a drift that is slow enough to take the reference with it leaves the
  anchor behind. river's ``PageHinkley`` is this sum too, but against the mean of the stream itself,
  which is what a slow drift poisons; so it is asked about shifts, and these few lines about drifts.

**When is it over?** With the first night that is back: one usual night ends what two raised ones, a
shift or a drift began. Waiting for the mean of two kept episodes open over calm nights, and found
no more.

**What is learned.** A night waits ``wait_nights`` before it joins the reference, so that the
beginning of a rise is not its own yardstick. While nights are raised none joins. When they are back
within ``keep_nights`` they join after all: a person's odd nights are part of their variation, and a
spread without them would be too narrow. Longer ones are left out for good. What has been raised for
``adopt_days`` is the new normal, of reference and anchor alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import median

from msgspec import Struct, field

from detectors.resting_heart_rate.configuration import RestingConfig
from detectors.resting_heart_rate.shift import Shift

MAD_TO_SPREAD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""
DAY = 86400.0
NEVER = -1e12


class Level(Struct, frozen=True):
    """What a night is compared with."""

    centre: float
    spread: float

    def score(self, value: float) -> float:
        """Distance in spreads."""
        return (value - self.centre) / self.spread

    def above(self, spreads: float) -> float:
        """What lies so many spreads above the centre."""
        return self.centre + spreads * self.spread


class Known(Struct, array_like=True):
    """A night that is over: when it ended, its value, and the hours that it covers."""

    ended: float
    value: float
    hours: float


class Chart(Struct, array_like=True):
    """The evidence against one level."""

    last: float = 0.0
    """The newest night's distance, clipped."""
    pair: float | None = None
    """The mean of the last two; None: there are no two nights near each other."""
    total: float = 0.0
    """The cumulative sum."""
    since: float = NEVER
    """The end of the first night of the rise."""
    raised_at: float = NEVER
    """When it was first beyond; before all times while it is not."""

    @property
    def raised(self) -> bool:
        """Whether the level is exceeded, as far as the known nights show."""
        return self.raised_at > NEVER

    def rest(self) -> None:
        """Begin anew."""
        self.total, self.since, self.raised_at = 0.0, NEVER, NEVER


class History(Struct, array_like=True):
    """What is known of a person's nights. Plain numbers: it is saved as it is."""

    reference: list[float] = []
    waiting: list[float] = []
    """Nights that do not teach yet, the oldest first."""
    recent: list[Known] = []
    """The last nights of any kind."""
    fast: Chart = field(default_factory=Chart)
    slow: Chart = field(default_factory=Chart)
    raised_nights: int = 0
    """Nights since either was raised, the first included."""
    anchor: float | None = None
    anchor_spread: float = 0.0
    adopted: float = NEVER
    """When a new normal was last adopted."""
    shift: Shift = field(default_factory=Shift)

    @property
    def raised(self) -> bool:
        """Whether any of the questions is answered with yes."""
        return self.fast.raised or self.slow.raised or self.shift.raised

    def ready(self, settings: RestingConfig) -> bool:
        """Whether a night can be judged."""
        return len(self.reference) >= settings.ready_nights

    def usual(self, settings: RestingConfig) -> Level:
        """The reference. Needs a night."""
        return Level(median(self.reference), spread_of(self.reference, settings))

    def anchored(self) -> Level | None:
        """The anchor, once it is set."""
        return None if self.anchor is None else Level(self.anchor, self.anchor_spread)

    def conclude(self, night: Known, settings: RestingConfig) -> None:
        """Take a night that is over, the newest so far."""
        before = self.recent[-1].ended if self.recent else NEVER
        self.recent = [*self.recent, night][-settings.recent_nights :]
        if not self.ready(settings):
            self.reference.append(night.value)
            return
        near = night.ended - before <= settings.pair_days * DAY
        was_raised, anchored = self.raised, self.anchored()
        usual = self.usual(settings)
        _compare(self.fast, usual.score(night.value), near=near, settings=settings)
        self._judge_pair(night, usual, settings)
        self._judge_shift(night, usual, near=near, settings=settings)
        if anchored is not None:
            _compare(self.slow, anchored.score(night.value), near=near, settings=settings)
            self._judge_drift(night, anchored, settings)
        self._learn(night, was_raised, settings)

    def _judge_pair(self, night: Known, usual: Level, settings: RestingConfig) -> None:
        chart, pair = self.fast, self.fast.pair
        if chart.raised:
            if chart.last <= settings.clear_spreads:
                chart.rest()
            return
        if pair is None:
            return
        first = 2 * pair - chart.last
        both = min(first, chart.last) > settings.dead_band
        higher = night.value - usual.centre >= settings.least_rise
        if pair >= settings.pair_spreads and both and higher:
            chart.since, chart.raised_at = self.recent[-2].ended, night.ended

    def _judge_shift(
        self, night: Known, usual: Level, *, near: bool, settings: RestingConfig
    ) -> None:
        shift, score = self.shift, usual.score(night.value)
        wide = max(usual.spread, settings.prior_spread)
        reach = settings.clip_spreads
        distance = _within((night.value - usual.centre) / wide, reach)
        detected = shift.take(distance, night.ended, near=near, settings=settings)
        if shift.raised:
            if score <= settings.shift_clear_spreads:
                shift.rest()
        elif detected and score >= settings.dead_band:
            shift.since, shift.raised_at = shift.rising_since, night.ended

    def _judge_drift(self, night: Known, anchor: Level, settings: RestingConfig) -> None:
        chart = self.slow
        if chart.raised:
            if chart.last <= settings.clear_spreads:
                chart.rest()
            return
        if chart.total == 0.0:
            chart.since = night.ended
        chart.total = max(0.0, chart.total + chart.last - settings.drift_slack)
        level = median(known.value for known in self.recent)
        higher = level - anchor.centre >= settings.drift_rise
        if chart.total >= settings.drift_threshold and higher:
            chart.raised_at = night.ended

    def _learn(self, night: Known, was_raised: bool, settings: RestingConfig) -> None:
        """What this night, or those that have waited, teach."""
        self.waiting.append(night.value)
        if self.raised:
            self.raised_nights += 1
            self._adopt(night.ended, settings)
            return
        if was_raised and self.raised_nights > settings.keep_nights:
            # the rise began a night before it was known to be one
            del self.waiting[-self.raised_nights - 2 : -1]
        self.raised_nights = 0
        while len(self.waiting) > settings.wait_nights:
            self.reference.append(self.waiting.pop(0))
        del self.reference[: -settings.reference_nights]
        self._move_anchor(settings)

    def _move_anchor(self, settings: RestingConfig) -> None:
        """Move the anchor towards the reference, slowly; first, set it."""
        if len(self.reference) < settings.anchor_nights:
            return
        usual, step = self.usual(settings), settings.anchor_step
        if self.anchor is None:
            self.anchor, self.anchor_spread = usual.centre, usual.spread
            return
        self.anchor += _within(usual.centre - self.anchor, step)
        self.anchor_spread += _within(usual.spread - self.anchor_spread, step)

    def _adopt(self, time: float, settings: RestingConfig) -> None:
        """What has been raised for so long is this person's normal."""
        charts = (self.fast, self.slow, self.shift)
        begun = min(chart.raised_at for chart in charts if chart.raised)
        if time - begun < settings.adopt_days * DAY or self.raised_nights < settings.ready_nights:
            return
        own = min(self.raised_nights, settings.anchor_nights)
        self.reference, self.waiting = self.waiting[-own:], []
        self.fast.rest()
        self.slow.rest()
        self.shift.rest()
        usual = self.usual(settings)
        self.anchor, self.anchor_spread = usual.centre, usual.spread
        self.raised_nights, self.adopted = 0, time


def _within(value: float, bound: float) -> float:
    return min(max(value, -bound), bound)


def _compare(chart: Chart, score: float, near: bool, settings: RestingConfig) -> None:
    """Take a night's distance; ``near``: the night before is not too long ago."""
    before, chart.last = chart.last, _within(score, settings.clip_spreads)
    chart.pair = (before + chart.last) / 2 if near else None


def spread_of(nights: Sequence[float], settings: RestingConfig) -> float:
    """Robust standard deviation of nights, with the population's as ``prior_nights`` of them."""
    centre = median(nights)
    own = MAD_TO_SPREAD * median(abs(night - centre) for night in nights)
    n, prior = len(nights), settings.prior_nights
    return sqrt((n * own * own + prior * settings.prior_spread**2) / (n + prior))
