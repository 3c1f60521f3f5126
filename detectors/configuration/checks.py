"""What a configuration must hold to beyond its types: limits that do not contradict each other."""

from __future__ import annotations

from itertools import combinations
from math import isfinite

from detectors.baseline.configuration import Usual
from detectors.configuration.patient import PatientConfig
from detectors.limits.configuration import DERIVED, Limit
from detectors.limits.exertion_configuration import Exertion
from vigil.domain.kinds import KINDS, PRIORITY_ORDER
from vigil.domain.signals import NAMES
from vigil.service.errors import SettingsError
from vigil.values import time_zones

JUDGED = (*NAMES, *DERIVED)
BOUND_LIMIT = ("above", "below", "clear", "seconds", "unknown_seconds")
"""Figures of a limit that a budget's proposal may loosen."""
BOUND_UNUSUAL = ("least_change", "raise_spreads")
"""The same of the personal baseline; more of each makes fewer alarms."""
EXTENDED = ("heart_rate", "shock_index")
"""What a row of ``[exertion]`` may be about."""
ACTIVITIES = ("asleep", "rest", "active", "unknown")


def refused(where: str, why: str) -> SettingsError:
    """The error for a configuration that cannot be used."""
    return SettingsError(
        f"The detection configuration cannot be used: {why}.",
        code="settings.invalid",
        field=where,
        how_to_fix="See docs/detection.md for the keys and what each takes.",
    )


def check(config: PatientConfig, source: str) -> None:
    """Refuse what contradicts itself.

    Raises:
        SettingsError: naming the table and how to fix it.
    """
    for name, limit in config.limits.items():
        _check_limit(limit, f"{source}: [limits.{name}]")
        check_episode(config, limit.kind, f"{source}: [limits.{name}]")
    for name, usual in config.baseline.signals.items():
        _check_usual(name, usual, f"{source}: [baseline.signals.{name}]")
        check_episode(config, usual.kind, f"{source}: [baseline.signals.{name}]")
    for kind, policy in config.episodes.items():
        check_kind(kind, f"{source}: [episodes.{kind}]")
        if policy.gap_seconds > policy.unobserved_seconds:
            raise refused(
                f"{source}: [episodes.{kind}]",
                f"`gap_seconds` {policy.gap_seconds:g} is longer than `unobserved_seconds`"
                f" {policy.unobserved_seconds:g}: an episode would end within one run of readings",
            )
    for section, names in (("stuck", config.admission.stuck), ("jump", config.admission.jump)):
        for name in names:
            check_signal(name, NAMES, f"{source}: [admission.{section}.{name}]")
    for name, row in config.exertion.items():
        _check_exertion(config, row, f"{source}: [exertion.{name}]")
        if name in config.limits:
            raise refused(f"{source}: [exertion.{name}]", "is the name of a limit too")
    _check_bounds(config, source)
    _check_zone(config, f"{source}: [context]")
    in_force = {name: limit for name, limit in config.limits.items() if limit.enabled}
    for (one, first), (two, second) in combinations(in_force.items(), 2):
        if first.signal == second.signal:
            _check_pair(first, second, f"{source}: [limits.{one}] and [limits.{two}]")


def _check_exertion(config: PatientConfig, row: Exertion, where: str) -> None:
    """It extends the limit of a high heart rate, or of a high shock index."""
    limit = config.limits.get(row.extends)
    if limit is None:
        raise refused(where, f"`extends` {row.extends!r}, which is no limit")
    if limit.signal not in EXTENDED or limit.above is None:
        raise refused(
            where, f"`extends` {row.extends!r}, which is not about a high {' or '.join(EXTENDED)}"
        )
    of_heart_rate = limit.signal == "heart_rate"
    if of_heart_rate != (row.share is not None):
        raise refused(where, "`share` belongs to a row about the heart rate, and is needed there")
    if row.share is not None and not isfinite(row.share):
        raise refused(where, "`share` must be a finite number")
    if row.systolic_to is not None and (of_heart_rate or row.steps_below is not None):
        raise refused(where, "`systolic_to` belongs to a shock index, without `steps_below`")
    if (row.systolic_to is not None) != (row.reason == "low_pressure"):
        raise refused(where, "`systolic_to` goes with the reason `low_pressure`, which needs it")
    if row.systolic_to is not None and not isfinite(row.systolic_to):
        raise refused(where, "`systolic_to` must be a finite number")


def _check_zone(config: PatientConfig, where: str) -> None:
    context = config.context
    if not context.time_zone:
        return
    if time_zones.find(context.time_zone) is None:
        raise refused(
            where, f"`time_zone` {context.time_zone!r} is no IANA zone, such as Europe/Berlin"
        )
    if context.utc_offset_hours:
        raise refused(where, "give `time_zone` or `utc_offset_hours`, not both")


def _check_bounds(config: PatientConfig, source: str) -> None:
    """Each bound names a figure that there is."""
    bounds = config.budget.bounds
    for section, rows, known, keys in (
        ("limits", bounds.limits, config.limits, BOUND_LIMIT),
        ("unusual", bounds.unusual, config.baseline.signals, BOUND_UNUSUAL),
    ):
        for name, row in rows.items():
            where = f"{source}: [budget.bounds.{section}.{name}]"
            if name not in known:
                raise refused(where, f"{name!r} is not known. Known: {', '.join(known)}")
            for key, bound in row.items():
                if key not in keys:
                    raise refused(where, f"`{key}` takes no bound. These do: {', '.join(keys)}")
                if not isfinite(bound.furthest):
                    raise refused(where, f"`furthest` of `{key}` must be a finite number")


def _check_limit(limit: Limit, where: str) -> None:
    check_kind(limit.kind, where)
    check_signal(limit.signal, JUDGED, where)
    figures = [x for x in (limit.above, limit.below, limit.clear) if x is not None]
    if not all(map(isfinite, figures)):
        raise refused(where, "a limit must be a finite number")
    if (limit.above is None) == (limit.below is None):
        raise refused(where, "needs one of `above` and `below`")
    if limit.above is not None and limit.clear > limit.above:
        raise refused(where, f"`clear` {limit.clear:g} lies above the limit {limit.above:g}")
    if limit.below is not None and limit.clear < limit.below:
        raise refused(where, f"`clear` {limit.clear:g} lies below the limit {limit.below:g}")
    least = KINDS[limit.kind].priority
    if PRIORITY_ORDER[limit.priority] > PRIORITY_ORDER[least]:
        raise refused(where, f"`priority` may not be under {least}, the kind's own")


def _check_pair(first: Limit, second: Limit, where: str) -> None:
    """Two limits on one signal."""
    high = [limit for limit in (first, second) if limit.above is not None]
    low = [limit for limit in (first, second) if limit.below is not None]
    if len(high) == len(low) == 1:
        top, bottom = high[0], low[0]
        if top.clear <= bottom.clear:
            raise refused(where, "leave no value that is past both `clear`: nothing could end")
        return
    if first.kind != second.kind or first.priority == second.priority:
        return
    mild, severe = sorted((first, second), key=lambda limit: -PRIORITY_ORDER[limit.priority])
    if mild.readings < severe.readings:
        return  # it asks for a second reading, and that one is judged by the other
    nearer = (
        severe.above is not None and mild.above is not None and severe.above < mild.above
    ) or (severe.below is not None and mild.below is not None and severe.below > mild.below)
    if nearer:
        raise refused(where, "the higher priority has the nearer limit")


def _check_usual(name: str, usual: Usual, where: str) -> None:
    check_signal(name, NAMES, where)
    check_kind(usual.kind, where)
    if usual.clear_spreads >= usual.raise_spreads:
        raise refused(where, "`clear_spreads` must be under `raise_spreads`")
    if set(usual.prior) != set(ACTIVITIES):
        raise refused(where, f"`prior` needs exactly {', '.join(ACTIVITIES)}")


def check_episode(config: PatientConfig, kind: str, where: str) -> None:
    """Refuse a kind that has no episode policy."""
    if kind not in config.episodes:
        raise refused(where, f"its kind has no table [episodes.{kind}]")


def check_kind(kind: str, where: str) -> None:
    """Refuse what is no clinical kind."""
    if kind not in KINDS or KINDS[kind].category != "clinical":
        clinical = ", ".join(row.name for row in KINDS.values() if row.category == "clinical")
        raise refused(where, f"kind {kind!r} is not known. Clinical kinds: {clinical}")


def check_signal(name: str, known: tuple[str, ...], where: str) -> None:
    """Refuse a signal that is not known."""
    if name not in known:
        raise refused(where, f"signal {name!r} is not known. Known: {', '.join(known)}")
