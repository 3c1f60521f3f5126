"""The counts above the ward board."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from dashboard.board.ranking import LEVELS
from dashboard.board.snapshot import Seen, Ward
from dashboard.shell.templating import render


def counts(seen: Sequence[Seen]) -> dict[str, int]:
    """Patients by their highest active priority."""
    found = dict.fromkeys(LEVELS, 0)
    for one in seen:
        if not one.fault:
            found[one.stands.level] += 1
    return {str(level): count for level, count in found.items()}


def _elsewhere(ward: Ward, name: str) -> str:
    """What a filter hides and must not: urgent patients in other wards."""
    urgent = counts([one for one in ward if name and one.patient.ward != name])
    told = [f"{urgent[level]} {level}" for level in ("high", "medium") if urgent[level]]
    return f"In other wards, not shown: {', '.join(told)}." if told else ""


def head(ward: Ward, name: str, *, judged: bool) -> Markup:
    """The counts of what is shown.

    Args:
        ward: everyone.
        name: the ward that is shown; empty: all.
        judged: whether "no active alert" can be said.
    """
    shown = of_ward(ward, name)
    return Markup(  # noqa: S704  (a template of ours, which escapes)
        render(
            "board/head.html",
            counts=counts(shown),
            judged=judged,
            waiting=sum(one.stands.unacknowledged for one in shown),
            elsewhere=_elsewhere(ward, name),
            unshown=sum(one.fault for one in shown),
        )
    )


def of_ward(ward: Ward, name: str) -> Sequence[Seen]:
    """Those of one ward; of all where the name is empty."""
    return [one for one in ward if not name or one.patient.ward == name]


def ward_names(ward: Ward) -> list[str]:
    """The wards that anyone is in."""
    return sorted({one.patient.ward for one in ward})
