"""A patient's row on the ward board, as HTML.

The text of a row depends on the patient's data and on whether detection runs, never on the time of
day: rows that have not changed are not sent again, and the browser updates the ages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from jinja2 import Template

from dashboard.board.spark import sparkline
from dashboard.shell import wording
from dashboard.shell.templating import environment, render
from store.episodes.board import SPARK_POINTS, Episode, Patient, Value
from vigil.domain.kinds import KINDS
from vigil.domain.signals import SIGNALS

if TYPE_CHECKING:
    from dashboard.board.snapshot import PatientSnapshot

SHORT_LABELS: Mapping[str, str] = {
    "heart_rate": "HR",
    "blood_pressure": "BP",
    "spo2": "SpO₂",
    "respiratory_rate": "RR",
    "temperature": "Temp",
}
PAIR = ("systolic", "diastolic")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a page that the browser replaces as a whole."""

    key: str
    css: str
    html: str
    digest: str
    """Of class and HTML: the browser compares it to find what changed."""


@dataclass(frozen=True, slots=True)
class Vital:
    """One value as the board shows it."""

    name: str
    label: str
    short: str
    value: str
    unit: str
    hot: bool
    """Whether the most urgent alert is about this value."""
    received_at: datetime | None
    """Set where it was received clearly before the patient's newest value."""


@dataclass(frozen=True, slots=True)
class RowEpisode:
    """An episode as a row shows it."""

    episode_id: str
    title: str
    kind: str
    onset: datetime
    ended_at: datetime | None
    retrospective: bool
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    help: bool


def make_fragment(key: str, css: str, html: str) -> Fragment:
    """A fragment with its digest."""
    return Fragment(key=key, css=css, html=html, digest=digest_text(f"{css}\0{html}"))


def digest_text(text: str) -> str:
    """A short, stable digest that distinguishes the texts of one key."""
    return blake2b(text.encode(), digest_size=9).hexdigest()


def episode_title(episode: Episode) -> str:
    """The alert's title; the kind's name while there is no text yet."""
    if episode.text and episode.text.get("title"):
        return episode.text["title"]
    kind = KINDS.get(episode.kind)
    return kind.label if kind else episode.kind


def row_episode(episode: Episode) -> RowEpisode:
    """An episode as a row shows it."""
    return RowEpisode(
        episode_id=episode.episode_id,
        title="The patient asks for help." if episode.help_at else episode_title(episode),
        kind=episode_title(episode),
        onset=episode.onset,
        ended_at=(episode.ended_at or episode.detected_at) if episode.phase == "closed" else None,
        retrospective=episode.retrospective,
        acknowledged_by=episode.acknowledged_by,
        acknowledged_at=episode.acknowledged_at,
        help=episode.help_at is not None,
    )


def _vital(name: str, values: Iterable[Value], *, newest: Value, hot: frozenset[str]) -> Vital:
    shown = list(values)
    first = SIGNALS[shown[0].signal]
    received = max(value.received_at for value in shown)
    return Vital(
        name=name,
        label="Blood pressure" if name == "blood_pressure" else first.label,
        short=SHORT_LABELS.get(name, first.label),
        value="/".join(SIGNALS[value.signal].display(value.value) for value in shown),
        unit=first.unit_label,
        hot=any(value.signal in hot for value in shown),
        received_at=received if newest.received_at - received > wording.APART_AFTER else None,
    )


def newest_vitals(values: Mapping[str, Value], top: Episode | None) -> list[Vital]:
    """The newest values in the order of the signals table, blood pressure as a pair where both
    were measured at one time. A diastolic pressure that is older than the systolic one (a palpated
    pressure has none) is not shown: beside it, it would read as one measurement."""
    if not values:
        return []
    newest = max(values.values(), key=lambda value: value.received_at)
    kind = KINDS.get(top.kind) if top and top.phase != "closed" else None
    hot = frozenset(kind.signals if kind else ())
    shown = []
    parts = [values[part] for part in PAIR if part in values]
    latest = max((part.time for part in parts), default=None)
    pair = [part for part in parts if part.time == latest]
    for name in SIGNALS:
        if name in PAIR:
            if pair and name == pair[0].signal:
                label = "blood_pressure" if len(pair) == len(PAIR) else name
                shown.append(_vital(label, pair, newest=newest, hot=hot))
        elif name in values:
            shown.append(_vital(name, [values[name]], newest=newest, hot=hot))
    return shown


def _further_episodes(seen: PatientSnapshot) -> str:
    others = seen.ranking.episodes[1:]
    if not others:
        return ""
    waiting = sum(not episode.acknowledged for episode in others)
    return f"+{len(others)} more" + (f", {waiting} not acknowledged" if waiting else "")


@cache
def _template() -> Template:
    return environment().get_template("board/row.html")


def render_row_placeholder(patient: Patient) -> Fragment:
    """The replacement of a row that cannot be rendered."""
    html = render("board/row_placeholder.html", patient=patient)
    return make_fragment(patient.patient_id, "row none placeholder", html)


def render_row(seen: PatientSnapshot, *, judged: bool) -> Fragment:
    """Render a patient's row.

    Args:
        judged: whether "no active alert" is known to be true.
    """
    if seen.fault:
        return render_row_placeholder(seen.patient)
    top, newest = seen.ranking.top, seen.newest
    apart = newest is not None and abs(newest.received_at - newest.time) > wording.APART_AFTER
    html = _template().render(
        patient=seen.patient,
        judged=judged,
        level=seen.ranking.level,
        top=row_episode(top) if top else None,
        more=_further_episodes(seen),
        vitals=newest_vitals(seen.values, top),
        spark=sparkline(seen.spark, SPARK_POINTS, "Heart rate, last 6 hours"),
        newest=newest,
        apart=apart,
    )
    css = f"row {seen.ranking.level}"
    if top and top.phase == "closed":
        css += " over"
    elif top and not top.acknowledged:
        css += " waiting" if top.retrospective else " waiting calling"
    return make_fragment(seen.patient.patient_id, css, html)
