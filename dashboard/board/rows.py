"""A patient's row on the ward board, as HTML.

The text of a row depends on the patient's data and on whether detection runs, never on the time of
day: rows that have not changed are not sent again, and the browser updates the ages.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from secrets import token_hex
from types import MappingProxyType
from typing import TYPE_CHECKING

from jinja2 import Template

from dashboard.board.ranking import priority_of
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
_SPACES = re.compile(r"[ \n]+")
"""A browser shows the template's indentation as one space: rows are sent without it."""
_CUT = f"\x1e{token_hex(8)}\x1e"
"""Stands between the elements of a row while it is rendered. Nobody can put it into a text."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a page that the browser replaces as a whole."""

    key: str
    css: str
    html: str
    digest: str
    """Of class and HTML: it shows what changed. With parts, of class and of each part, by dots."""
    parts: tuple[str, ...] = ()
    """Its elements, each of which can be replaced alone; empty: it is replaced as a whole."""


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
    measured: datetime | None
    """Set where it was measured clearly before the patient's newest value."""


@dataclass(frozen=True, slots=True)
class OpenAgain:
    """Why an episode speaks up again."""

    because: str
    acknowledged_at: datetime | None
    """When an earlier state was acknowledged; None: never."""
    acknowledged_by: str | None


@dataclass(frozen=True, slots=True)
class RowEpisode:
    """An episode as a row shows it."""

    episode_id: str
    title: str
    kind: str
    onset: datetime
    began: str
    """The words before the onset, as :func:`began` gives them."""
    bears_duration: bool
    """Whether it may be claimed how long it lasted."""
    ended_at: datetime | None
    retrospective: bool
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    help: bool
    priority: str
    fallen_from: str
    """The higher priority that it had before; empty: none."""
    priority_since: datetime | None
    again: OpenAgain | None
    """None: it does not speak up again, or that is acknowledged."""
    history: bool
    time_uncertain: bool
    unobserved_end: bool
    judged_again: bool


def make_fragment(key: str, css: str, html: str) -> Fragment:
    """A fragment with its digest."""
    return Fragment(key=key, css=css, html=html, digest=digest_text(f"{css}\0{html}"))


def make_parts(key: str, css: str, parts: Sequence[str]) -> Fragment:
    """A fragment of which the browser replaces only the elements that changed."""
    return Fragment(
        key=key,
        css=css,
        html="".join(parts),
        digest=".".join(_short_digest(text) for text in (css, *parts)),
        parts=tuple(parts),
    )


def _short_digest(text: str) -> str:
    """48 bits: it is compared with the one before it alone."""
    return urlsafe_b64encode(blake2b(text.encode(), digest_size=6).digest()).decode()


def digest_text(text: str) -> str:
    """A short, stable digest that distinguishes the texts of one key."""
    return blake2b(text.encode(), digest_size=9).hexdigest()


def episode_title(episode: Episode) -> str:
    """The alert's title; the kind's name while there is no text yet."""
    if episode.text and episode.text.get("title"):
        return episode.text["title"]
    kind = KINDS.get(episode.kind)
    return kind.label if kind else episode.kind


def began(bears_duration: bool) -> str:
    """The words before an onset: "since" where it is known to have gone on, else "first seen".

    Args:
        bears_duration: whether the readings stand close enough for a duration to be claimed.
    """
    return "since" if bears_duration else "first seen"


def row_episode(episode: Episode) -> RowEpisode:
    """An episode as a row shows it."""
    return RowEpisode(
        episode_id=episode.episode_id,
        title="The patient asks for help." if episode.help_at else episode_title(episode),
        kind=episode_title(episode),
        onset=episode.onset,
        began=began(episode.bears_duration),
        bears_duration=episode.bears_duration,
        ended_at=(episode.ended_at or episode.detected_at) if episode.phase == "closed" else None,
        retrospective=episode.retrospective,
        acknowledged_by=episode.acknowledged_by,
        acknowledged_at=episode.acknowledged_at,
        help=episode.help_at is not None,
        priority=episode.priority,
        fallen_from=episode.peak if episode.has_fallen else "",
        priority_since=episode.priority_since,
        again=_open_again(episode),
        history=episode.history,
        time_uncertain=episode.time_uncertain,
        unobserved_end=episode.unobserved_end,
        judged_again=episode.judged_again,
    )


_BECAUSE = MappingProxyType({"worse": "worse", "joined": "a further finding joined or worsened"})
"""Why what was acknowledged is open again; anything else is a rise."""


def _open_again(episode: Episode) -> OpenAgain | None:
    """Why an episode is open again. That it is still there is worth saying of what nobody has
    acknowledged, too."""
    if episode.acknowledged or not episode.raised_because:
        return None
    lifted_at, lifted_by = episode.lifted_at, episode.lifted_by
    if episode.raised_because == "continues":
        if episode.phase == "closed" and lifted_at is None:
            return None
        span = wording.format_duration((episode.raised_time or episode.onset) - episode.onset)
        # A duration is claimed only where readings stand close enough to bear it.
        seen = "still present after" if episode.duration_observed else "found again after"
        return OpenAgain(f"{seen} {span}", lifted_at, lifted_by)
    if lifted_at is None:
        return None
    because = _BECAUSE.get(episode.raised_because, "raised in priority")
    return OpenAgain(because, lifted_at, lifted_by)


def newest_value(values: Mapping[str, Value]) -> Value | None:
    """The value that was measured last, whenever it was received: what comes late, or is the newest
    again since a later one was withdrawn, is as old as its measurement."""
    return max(values.values(), key=lambda value: (value.time, value.received_at), default=None)


def received_apart(value: Value) -> bool:
    """Whether it was received so long after it was measured that both times are shown."""
    return abs(value.received_at - value.time) > wording.APART_AFTER


def _vital(name: str, values: Iterable[Value], *, newest: Value, hot: frozenset[str]) -> Vital:
    shown = list(values)
    first = SIGNALS[shown[0].signal]
    measured = max(value.time for value in shown)
    return Vital(
        name=name,
        label="Blood pressure" if name == "blood_pressure" else first.label,
        short=SHORT_LABELS.get(name, first.label),
        value="/".join(SIGNALS[value.signal].display(value.value) for value in shown),
        unit=first.unit_label,
        hot=any(value.signal in hot for value in shown),
        measured=measured if newest.time - measured > wording.APART_AFTER else None,
    )


def newest_vitals(values: Mapping[str, Value], top: Episode | None) -> list[Vital]:
    """The newest values in the order of the signals table, blood pressure as a pair where both
    were measured at one time. A diastolic pressure that is older than the systolic one (a palpated
    pressure has none) is not shown: beside it, it would read as one measurement."""
    if (newest := newest_value(values)) is None:
        return []
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
    waiting = sum(episode.waits for episode in others)
    return f"+{len(others)} more" + (f", {waiting} not acknowledged" if waiting else "")


@cache
def _template() -> Template:
    return environment().get_template("board/row.html")


def render_row_placeholder(patient: Patient) -> Fragment:
    """The replacement of a row that cannot be rendered."""
    html = render("board/row_placeholder.html", patient=patient)
    return make_fragment(patient.patient_id, "row none placeholder", html)


def _calls(episode: Episode) -> bool:
    """Whether it asks for attention now: history does not, nor what rests on late readings."""
    return episode.help_at is not None or not (episode.history or episode.retrospective)


def render_row(seen: PatientSnapshot, *, judged: bool) -> Fragment:
    """Render a patient's row.

    Args:
        judged: whether "no active alert" is known to be true.
    """
    if seen.fault:
        return render_row_placeholder(seen.patient)
    top, newest = seen.ranking.top, seen.newest
    html = _template().render(
        patient=seen.patient,
        judged=judged,
        cut=_CUT,
        level=priority_of(top) if top else "none",
        top=row_episode(top) if top else None,
        more=_further_episodes(seen),
        vitals=newest_vitals(seen.values, top),
        spark=sparkline(seen.spark, SPARK_POINTS, "Heart rate, last 6 hours"),
        newest=newest,
        apart=newest is not None and received_apart(newest),
    )
    css = f"row {seen.ranking.level}"
    if top and top.history and top.help_at is None:
        css += " past"
    if top and top.phase == "closed":
        css += " over"
    elif top and not top.acknowledged:
        css += " waiting calling" if _calls(top) else " waiting"
    parts = [part.strip() for part in _SPACES.sub(" ", html).split(_CUT)]
    return make_parts(seen.patient.patient_id, css, [part for part in parts if part])
