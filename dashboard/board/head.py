"""The counts above the ward board."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from dashboard.board.ranking import LEVELS
from dashboard.board.snapshot import PatientSnapshot, Ward
from dashboard.shell.templating import render


def count_by_level(seen: Sequence[PatientSnapshot]) -> dict[str, int]:
    """The number of patients by their highest active priority."""
    found = dict.fromkeys(LEVELS, 0)
    for one in seen:
        if not one.fault:
            found[one.ranking.level] += 1
    return {str(level): count for level, count in found.items()}


def _elsewhere(ward: Ward, name: str) -> str:
    """A sentence on urgent patients in other wards, which a filter would hide; else empty."""
    urgent = count_by_level([one for one in ward if name and one.patient.ward != name])
    parts = [f"{urgent[level]} {level}" for level in ("high", "medium") if urgent[level]]
    return f"In other wards, not shown: {', '.join(parts)}." if parts else ""


def render_head(ward: Ward, name: str, *, judged: bool) -> Markup:
    """Render the counts of what is shown.

    Args:
        ward: everyone.
        name: the ward that is shown; empty: all.
        judged: whether "no active alert" is known to be true.
    """
    shown = patients_in_ward(ward, name)
    return Markup(  # noqa: S704  (a template of ours, which escapes)
        render(
            "board/head.html",
            counts=count_by_level(shown),
            judged=judged,
            waiting=sum(one.ranking.unacknowledged for one in shown),
            elsewhere=_elsewhere(ward, name),
            not_shown=sum(one.fault for one in shown),
        )
    )


def patients_in_ward(ward: Ward, name: str) -> Sequence[PatientSnapshot]:
    """The patients of a ward; all where the name is empty."""
    return [one for one in ward if not name or one.patient.ward == name]


def ward_names(ward: Ward) -> list[str]:
    """The names of all wards that have patients, sorted."""
    return sorted({one.patient.ward for one in ward})
