"""What is judged although the person is active: no activity explains it.

Exercise is not tachycardia, so a high heart rate is a limit at rest, and so is a high shock index.
But a device can say "active" of anything that shakes it. A rate is not explained where it lies
above what exercise reaches for so long (``share_of_maximum``), or lasts longer than any exercise at
such steps (``duration``); a shock index is not where it lasts so, or where the systolic pressure is
low (``low_pressure``): exercise raises it. Each row of ``[exertion]`` extends a limit; it counts
readings whatever the activity, so that what is high through rest and movement alike is one run.

The predicted maximum is 208 − 0.7 × age (Tanaka and others, J Am Coll Cardiol 2001); shares of it
by intensity are those of the American College of Sports Medicine (Garber and others, Med Sci Sports
Exerc 2011); what steps mean is from Tudor-Locke and others (2011, 2018). What is interrupted again
and again, or measured rarely, is added up by :mod:`detectors.limits.total_exertion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from detectors.contract import BETWEEN, BEYOND, CLEAR, Finding, Moment, Rule, Stance
from detectors.limits.configuration import DERIVED, Limit
from detectors.limits.exertion_configuration import AgeConfig, Exertion
from vigil.domain.figures import figure as read_as
from vigil.values.rounding import half_up

LONGEST_GAP_SECONDS: Mapping[str, float] = MappingProxyType(
    {"heart_rate": 1800.0, "shock_index": 7200.0}
)
"""Signal → readings further apart are not one run of a row: our own figures. Sprints an hour apart
are not an hour of exertion; a pressure is measured more rarely."""


@dataclass(frozen=True, slots=True)
class ExertionThreshold:
    """One row, ready to be judged by. Above only."""

    rule: Rule
    limit: float
    clear: float
    steps_below: float | None
    systolic_to: float | None
    facts: Mapping[str, Any]
    active_facts: Mapping[str, Any]
    """For the evidence of what is announced while the person is active."""

    def judge(self, value: float, figure: float, moment: Moment) -> Finding:
        """What this row finds of a value, by its figure."""
        stance: Stance = BETWEEN
        if figure >= self.limit:
            stance = BETWEEN if self.explains(moment) else BEYOND
        elif figure <= self.clear:
            stance = CLEAR
        facts = self.active_facts if moment.activity == "active" else self.facts
        return Finding(self.rule, stance, value, limit=self.limit, clear=self.clear, facts=facts)

    def explains(self, moment: Moment) -> bool:
        """Whether the activity may explain it: any does but few steps, or a low pressure."""
        if moment.activity != "active":
            return False
        if self.systolic_to is not None:
            systolic = moment.values.get("systolic")
            return systolic is None or read_as("systolic", systolic) > self.systolic_to
        if self.steps_below is None:
            return False
        return moment.pace is None or moment.pace >= self.steps_below


def exertion_thresholds(
    limits: Mapping[str, Limit],
    rows: Mapping[str, Exertion],
    age: AgeConfig,
    signal: str = "heart_rate",
) -> list[ExertionThreshold]:
    """The rows in force of a signal: of limits that hold, and at rest only."""
    return [
        _threshold(name, row, limit=limits[row.extends], age=age)
        for name, row in rows.items()
        if row.enabled and _is_extended(limits[row.extends], signal)
    ]


def _is_extended(limit: Limit, signal: str) -> bool:
    return limit.enabled and limit.at_rest_only and limit.signal == signal


def _threshold(name: str, row: Exertion, limit: Limit, age: AgeConfig) -> ExertionThreshold:
    assert limit.above is not None  # noqa: S101  (detectors.configuration.checks holds it)
    share = 0.0 if row.share is None else row.share
    bound = read_as(limit.signal, max(limit.above, share * age.heart_rate_maximum))
    unknown = limit.seconds if limit.unknown_seconds is None else limit.unknown_seconds
    is_combined = limit.signal in DERIVED
    rule = Rule(
        name=name,
        detector="combination" if is_combined else "limits",
        kind=limit.kind,
        signal=limit.signal,
        direction="above",
        priority=limit.priority,
        rank=1 if is_combined else 0,
        seconds=max(row.seconds, limit.seconds),
        unknown_seconds=max(row.seconds, unknown),
        readings=max(row.readings, limit.readings),
        counts_activity=True,
        gap_seconds=LONGEST_GAP_SECONDS[limit.signal],
    )
    facts = {"age_band": age.band}
    return ExertionThreshold(
        rule=rule,
        limit=bound,
        clear=read_as(limit.signal, limit.clear),
        steps_below=row.steps_below,
        systolic_to=row.systolic_to,
        facts=facts,
        active_facts={**facts, **_while_active(row, bound, age)},
    )


def _while_active(row: Exertion, bound: float, age: AgeConfig) -> dict[str, Any]:
    """Why it is judged while the person is active."""
    facts: dict[str, Any] = {"judged_while_active": row.reason}
    if row.share is not None:
        facts["heart_rate_maximum"] = half_up(age.heart_rate_maximum, 1)
        facts["share_of_maximum"] = half_up(bound / age.heart_rate_maximum, 2)
    if row.steps_below is not None:
        facts["steps_below"] = row.steps_below
    if row.systolic_to is not None:
        facts["systolic_to"] = row.systolic_to
    return facts
