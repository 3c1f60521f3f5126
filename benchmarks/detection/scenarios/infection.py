"""Illness in a resting heart rate: Vigil's trend over days beside NightSignal, on real labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.detection import levels, scoring, sets, trials
from benchmarks.detection.peers import night_signal
from benchmarks.detection.report import Aim, Cell, Miss, Options, Report, Table
from benchmarks.detection.scoring import Alert, Rate, Tally
from benchmarks.detection.sets import DAY, HOUR, Recording
from benchmarks.detection.split import GROUPS, Group
from benchmarks.detection.trials import ILLNESS_SECONDS
from benchmarks.detection.vigil_alerts import alerts as paging
from benchmarks.detection.vigil_alerts import detect
from vigil.domain.episode import Event

NAME = "infection"
SET = "wearable_infection"
KIND = "resting_heart_rate_raised"
HEART_KINDS = frozenset({KIND, "heart_rate_unusual", "heart_rate_high", "heart_rate_irregular"})
EARLY, LATE = -14, 7
"""Days from the onset of symptoms."""
SUMMARY = (
    "`wearable_infection`, real labels, three weeks of warm-up. A person is found when a night is"
    " alerted from 14 days before the onset of symptoms to the day of onset (or to 7 days after)."
    " False: alerted nights outside 21 days around the illness, of nights worn. A night is alerted"
    " while an episode is open at its seven o'clock, so that an alert which stays is counted each"
    " night, as NightSignal's red is."
)


class Person(NamedTuple):
    """One person's nights as a detector alerted them."""

    recording: Recording
    onset: float | None
    """Of symptoms; None: not known, and only false alerts are counted."""
    left_out: tuple[float, float] | None
    alerts: tuple[Alert, ...]

    def nights(self) -> list[float]:
        """Seven o'clock of each night that was worn, after the warm-up."""
        first = self.recording.start + sets.SETTINGS[SET].warm_up_seconds
        ends = [n.day + 7 * HOUR for n in night_signal.nights(self.recording)]
        return [end for end in ends if end >= first]

    def alerted(self) -> list[float]:
        """Those of them that an alert covers."""
        return [
            night for night in self.nights()
            if any(a.start - DAY / 4 < night <= a.end + HOUR for a in self.alerts)
        ]  # fmt: skip

    def day_found(self, last: int) -> float | None:
        """Days from onset to the first alerted night in the window."""
        if self.onset is None:
            return None
        days = [(night - self.onset) / DAY for night in self.alerted()]
        return min((d for d in days if EARLY <= d < last + 1), default=None)

    def outside(self, times: Sequence[float]) -> list[float]:
        """Those that are not near the illness."""
        low, high = self.left_out or (0.0, 0.0)
        return [time for time in times if not low <= time < high]


def people(detector: Callable[[Recording], Sequence[Alert]]) -> list[Person]:
    """Everybody, alerted by a detector."""
    ill = trials.illness(SET)
    onsets = {
        row["patient_id"]: sets.seconds_of(row["symptom_onset"])
        for row in sets.labels(SET)
        if row["symptom_onset"]
    }
    return [
        Person(one, onsets.get(one.patient_id), ill.get(one.patient_id), tuple(detector(one)))
        for one in sets.load(SET)
    ]


def found(crowd: Sequence[Person], last: int) -> Rate:
    """Share of the labelled who were found."""
    return scoring.rate([
        Tally(p.recording.patient_id, p.day_found(last) is not None, 1)
        for p in crowd if p.onset is not None
    ])  # fmt: skip


def false_nights(crowd: Sequence[Person]) -> Rate:
    """False alerted nights a night."""
    return scoring.rate([
        Tally(p.recording.patient_id, len(p.outside(p.alerted())), len(p.outside(p.nights())))
        for p in crowd
    ])  # fmt: skip


def false_openings(crowd: Sequence[Person]) -> float:
    """False episodes (nights in a row are one) per 30 nights."""
    nights = sum(len(p.outside(p.nights())) for p in crowd)
    openings = 0
    for person in crowd:
        times = person.alerted()
        starts = [b for a, b in zip([0.0, *times], times, strict=False) if b - a > 1.5 * DAY]
        openings += len(person.outside(starts))
    return 30 * openings / nights if nights else 0.0


def run(options: Options) -> Report:
    """Vigil and NightSignal."""
    config = levels.config(SET)
    events: dict[str, list[Event]] = {one.patient_id: detect(one, config) for one in sets.load(SET)}
    rows: dict[str, list[Person]] = {
        "Vigil, resting_heart_rate_raised": people(
            lambda one: paging(events[one.patient_id], one.end, {KIND})
        ),
        "Vigil, any kind of the heart rate": people(
            lambda one: paging(events[one.patient_id], one.end, HEART_KINDS)
        ),
    }
    if options.peers:
        rows["NightSignal, red (+4)"] = people(night_signal.alerts)
        rows["NightSignal, yellow (+3)"] = people(lambda one: night_signal.alerts(one, 3.0))
        rows["NightSignal at +5"] = people(lambda one: night_signal.alerts(one, 5.0))
    table = Table("Nights", "real labels", COLUMNS, tuple(
        _row(name, crowd, group) for name, crowd in rows.items() for group in GROUPS
    ))  # fmt: skip
    vigil = rows["Vigil, resting_heart_rate_raised"]
    aims = (_aim(vigil, rows.get("NightSignal, red (+4)")),) if options.peers else ()
    return Report(NAME, SUMMARY, (table,), aims, tuple(_misses(vigil)), NOTES)


COLUMNS = (
    "detector", "people", "found [−14, 0] d", "found [−14, +7] d", "median day found",
    "false nights a night", "false nights per 30", "false episodes per 30 nights",
)  # fmt: skip
NOTES = (
    f"{ILLNESS_SECONDS / DAY:.0f} days around the diagnosis are left out where the onset is not"
    " known; such a person counts for false nights alone.",
    "With five labelled people one is a fifth: the comparison shows no more than an order.",
)


def _in_group(crowd: Sequence[Person], group: Group) -> list[Person]:
    return [person for person in crowd if person.recording.group == group]


def _row(name: str, crowd: Sequence[Person], group: Group) -> tuple[Cell, ...]:
    own = _in_group(crowd, group)
    days = [day for p in own if (day := p.day_found(LATE)) is not None]
    false = false_nights(own)
    middle = scoring.middle(days)
    return (
        name, group, found(own, 0), found(own, LATE),
        None if middle is None else round(middle, 1), false,
        None if false.value is None else round(30 * false.value, 2),
        round(false_openings(own), 2),
    )  # fmt: skip


def _aim(vigil: Sequence[Person], other: Sequence[Person] | None) -> Aim:
    cells: dict[Group, str] = {}
    reached: dict[Group, bool] = {}
    for group in GROUPS:
        ours, theirs = _in_group(vigil, group), _in_group(other or (), group)
        hits, their_hits = found(ours, 0).hits, found(theirs, 0).hits
        false, their_false = false_nights(ours).value or 0.0, false_nights(theirs).value or 0.0
        cells[group] = (
            f"found {hits:.0f} to {their_hits:.0f}; false nights per 30:"
            f" {30 * false:.2f} to {30 * their_false:.2f}"
        )
        reached[group] = hits >= their_hits and false <= their_false / 2
    what = "At least NightSignal's sensitivity at half of its false nights"
    return Aim(what, "Vigil to NightSignal red", cells["tune"], cells["test"], reached["test"])


def _misses(crowd: Sequence[Person]) -> list[Miss]:
    return [
        Miss(p.recording.group, p.recording.patient_id, "onset of symptoms", _why(p))
        for p in crowd
        if p.onset is not None and p.day_found(0) is None
    ]


def _why(person: Person) -> str:
    late = person.day_found(LATE)
    return "" if late is None else f"found {late:.1f} days after the onset"
