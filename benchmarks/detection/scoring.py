"""What is counted, the same for every detector.

An *alert* is a span: from the moment that a detector says so to the moment that it no longer does.
Alerts closer than the set's merging gap are one *episode* of alerting. An event counts as found
when an alert **starts** within its window; an alert that stood already when it began does not
count. Nothing is point-adjusted: a long event that is found late is found once, late.

Rates are ratios of sums over people (events found / events, false episodes / patient-days), their
intervals are percentile bootstraps that draw *people*, since readings of one person are not
independent. With three people to a side they are wide, and that is the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import sqrt
from random import Random
from statistics import median
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

MATCHED_RATES = (0.05, 0.1, 0.5, 1.0)
"""False alert episodes per patient-day at which detectors are compared."""
T = TypeVar("T")
FloatsLike = Sequence[float] | npt.NDArray[np.float64]
NORMAL_95 = 1.959964
DRAWS = 1000
SEED = 20261121


class Alert(NamedTuple):
    """A span of alerting; seconds since 1970."""

    start: float
    end: float
    kind: str = ""
    priority: str = ""


class Truth(NamedTuple):
    """Something that happened, or was made to happen."""

    patient_id: str
    name: str
    start: float
    """Its onset; an alert before it is not a detection."""
    end: float
    """The last moment at which an alert still counts (its end and the scenario's grace)."""
    must_alert: bool = True
    onset: float | None = None
    """Where delays count from, if not ``start``: an illness can be found before its symptoms."""


class Tally(NamedTuple):
    """What one person contributes to a rate."""

    patient_id: str
    hits: float
    of: float


class Rate(NamedTuple):
    """A ratio of sums, with its interval."""

    value: float | None
    low: float | None = None
    high: float | None = None
    hits: float = 0
    of: float = 0


def merged(alerts: Iterable[Alert], gap_seconds: float) -> list[Alert]:
    """Alerts closer than the gap as one; the first one's kind and priority stand.

    >>> [a[:2] for a in merged([Alert(0, 5), Alert(20, 30), Alert(8, 9)], 10)]
    [(0, 9), (20, 30)]
    """
    result: list[Alert] = []
    for alert in sorted(alerts):
        if result and alert.start - result[-1].end <= gap_seconds:
            last = result[-1]
            result[-1] = last._replace(end=max(last.end, alert.end))
        else:
            result.append(alert)
    return result


def spans(
    times: Sequence[float], scores: Sequence[float], threshold: float, gap_seconds: float
) -> list[Alert]:
    """A score over time as alerts: spans at or above the threshold, merged."""
    result: list[Alert] = []
    start = end = None
    for time, score in zip(times, scores, strict=True):
        if score < threshold:
            continue
        if start is None or end is None:
            start = end = time
        elif time - end <= gap_seconds:
            end = time
        else:
            result.append(Alert(start, end))
            start = end = time
    if start is not None and end is not None:
        result.append(Alert(start, end))
    return result


def found(truth: Truth, alerts: Iterable[Alert]) -> float | None:
    """When the event was first alerted; None: missed."""
    starts = [a.start for a in alerts if truth.start <= a.start <= truth.end]
    return min(starts, default=None)


def delay(truth: Truth, at: float) -> float:
    """Seconds from the event's onset to an alert; negative where it came before."""
    return at - (truth.start if truth.onset is None else truth.onset)


def outside(
    alerts: Iterable[Alert], first: float, left_out: tuple[float, float] | None = None
) -> list[Alert]:
    """Those that start after ``first`` (the end of the warm-up) and not in ``left_out``."""
    low, high = left_out or (0.0, 0.0)
    return [a for a in alerts if a.start >= first and not low <= a.start < high]


def rate(tallies: Sequence[Tally], seed: int = SEED, draws: int = DRAWS) -> Rate:
    """Hits over cases, with a 95 % bootstrap interval over people.

    >>> rate([Tally("a", 1, 2), Tally("b", 1, 2)])
    Rate(value=0.5, low=0.5, high=0.5, hits=2, of=4)
    """
    people = [counts for _, counts in sorted(by_person(tallies).items()) if counts[1] > 0]
    hits, of = sum(p[0] for p in people), sum(p[1] for p in people)
    if not of:
        return Rate(None)
    low, high = interval(people, _ratio, seed, draws)
    return Rate(hits / of, low, high, hits, of)


def interval(
    people: Sequence[T], statistic: Callable[[Sequence[T]], float | None], seed: int = SEED,
    draws: int = DRAWS,
) -> tuple[float | None, float | None]:  # fmt: skip
    """The middle 95 % of a statistic over drawings of people, with replacement."""
    random = Random(seed)
    drawn = (statistic(random.choices(people, k=len(people))) for _ in range(draws))
    values = sorted(value for value in drawn if value is not None)
    if not values:
        return None, None
    last = len(values) - 1
    return values[round(0.025 * last)], values[round(0.975 * last)]


def wilson(hits: float, of: float) -> tuple[float, float]:
    """95 % score interval of a share of independent trials (Wilson, 1927).

    >>> [round(bound, 3) for bound in wilson(9, 19)]
    [0.273, 0.683]
    """
    if not of:
        return 0.0, 1.0
    share, square = hits / of, NORMAL_95**2
    middle = share + square / (2 * of)
    wide = NORMAL_95 * sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, (middle - wide) / (1 + square / of)), min(
        1.0, (middle + wide) / (1 + square / of)
    )


def byar(count: float, of: float) -> tuple[float, float]:
    """95 % interval of a rate of a counted, rare event (Byar's approximation to Poisson's).

    >>> [round(bound, 3) for bound in byar(3, 26)]
    [0.023, 0.337]
    """
    more = count + 1
    low = count * (1 - 1 / (9 * count) - NORMAL_95 / (3 * sqrt(count))) ** 3 if count else 0.0
    high = more * (1 - 1 / (9 * more) + NORMAL_95 / (3 * sqrt(more))) ** 3
    return low / of, high / of


def auroc(positives: FloatsLike, negatives: FloatsLike) -> float | None:
    """The chance that a positive scores above a negative; ties count half. None: a side is empty.

    >>> auroc([1.0, 2.0], [0.0, 1.0])
    0.875
    """
    if not len(positives) or not len(negatives):
        return None
    ranked = np.sort(negatives)
    below = np.searchsorted(ranked, positives, "left")
    upto = np.searchsorted(ranked, positives, "right")
    return float((below + upto).mean() / 2 / len(ranked))


def matched_threshold(
    episodes_at: Callable[[float], float], candidates: Sequence[float], allowed: float
) -> float | None:
    """The lowest threshold that makes at most ``allowed`` false episodes; None: none does.

    ``episodes_at`` says how many episodes a threshold makes. It need not fall with the threshold (a
    high one can break one long episode in two), so candidates are taken from the highest down and
    the first that makes too many ends the search.
    """
    chosen = None
    for threshold in sorted(set(candidates), reverse=True):
        if episodes_at(threshold) > allowed:
            break
        chosen = threshold
    return chosen


def middle(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    return median(values) if values else None


def by_person(tallies: Iterable[Tally]) -> Mapping[str, tuple[float, float]]:
    """Person → (hits, cases)."""
    result: dict[str, tuple[float, float]] = {}
    for tally in tallies:
        hits, of = result.get(tally.patient_id, (0, 0))
        result[tally.patient_id] = (hits + tally.hits, of + tally.of)
    return result


def _ratio(people: Sequence[tuple[float, float]]) -> float | None:
    of = sum(p[1] for p in people)
    return sum(p[0] for p in people) / of if of else None
