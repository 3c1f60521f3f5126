"""A saved state that has believed a time which has not come: what of it is kept, what begins anew.

No message is believed so far ahead of the broker's clock (:mod:`vigil.contracts.clock_check`), but
a state saved before that was so may say that the newest reading is of the year 9000. Every true one
would be older, and never judged.

Such a state is not waited out. Where a *reading* was believed, its time may be in any memory, so
all begin afresh; where only the clock was (a tick, the time of receipt), they stay. Either way the
open episodes are kept, since nobody else could close them, with what they last saw put back.
"""

from __future__ import annotations

from collections.abc import Mapping

from detectors.admission.rules import CLOCK
from detectors.contract import Detector
from detectors.engine.missing_data import Hearing
from detectors.engine.state import Patient
from detectors.episodes.memory import Book, Watch

AHEAD_SECONDS = 86_400.0
"""A day: what is less far ahead is right again by itself before anybody has to mend it."""
LONGEST_INTERVAL = 366 * 86_400.0
"""Seconds between two uploads, in the mean."""
_TIMES = ("told_at", "clear_since", "last", "known")
"""Of a watch. Its onset stays: the episode's id is made of it."""


def healed(patient: Patient, detectors: Mapping[str, Detector], now: float) -> Patient:
    """The patient without times more than a day after ``now``; the same one if there are none.

    ``lost`` names what was begun afresh.
    """
    limit = now + AHEAD_SECONDS
    if not _ahead(patient, limit):
        return patient
    newest = {name: time for name, time in patient.newest.items() if time <= limit}
    if patient.newest.keys() - newest.keys() - {CLOCK} or _overlooked_ahead(patient, limit):
        afresh = Patient(detectors)
        afresh.synthetic, afresh.restored, newest = patient.synthetic, True, {}
        afresh.hearing, afresh.book = patient.hearing, patient.book
        afresh.lost = (*patient.lost, "context", "tracks", *detectors)
        patient = afresh
    else:
        patient.lost = (*patient.lost, "clock")
    patient.newest = newest
    patient.hearing = _hearing(patient.hearing, now)
    _put_back(patient.book, limit, now - AHEAD_SECONDS)
    if patient.lane is not None:
        patient.lane.received = min(patient.lane.received, now)
    return patient


def _ahead(patient: Patient, limit: float) -> bool:
    """Cheap: asked of every state that is loaded."""
    hearing, book = patient.hearing, patient.book
    return (
        hearing.heard > limit
        or hearing.quiet_from > limit
        or any(time > limit for time in patient.newest.values())
        or any(time > limit for time in book.ended.values())
        or any(_latest(watch) > limit for watch in book.watches.values())
        or _overlooked_ahead(patient, limit)
    )


def _overlooked_ahead(patient: Patient, limit: float) -> bool:
    """The same of readings that another device's were preferred to."""
    past = patient.past
    return past is not None and any(time > limit for time in past.seen.values())


def _latest(watch: Watch) -> float:
    return max(watch.told_at, watch.clear_since, watch.last, watch.known)


def _hearing(hearing: Hearing, now: float) -> Hearing:
    """Silence is counted from now; a rhythm of years was none."""
    kept = hearing.mean_seconds <= LONGEST_INTERVAL
    return Hearing(
        min(hearing.heard, now),
        min(hearing.quiet_from, now),
        hearing.mean_seconds if kept else 0.0,
        hearing.intervals if kept else 0,
    )


def _put_back(book: Book, limit: float, back: float) -> None:
    """What is noted as later than ``limit`` was noted at ``back``; what began later did not."""
    for kind, watch in list(book.watches.items()):
        watch.runs = {rule: run for rule, run in watch.runs.items() if run.last <= limit}
        for name in _TIMES:
            if getattr(watch, name) > limit:
                setattr(watch, name, back)
        if not watch.open and not watch.runs:
            del book.watches[kind]
    book.ended = {kind: back if time > limit else time for kind, time in book.ended.items()}
