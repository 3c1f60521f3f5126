"""Drops withdrawn values from what the next reading is compared with.

What they have become a small part of, as a baseline's level, stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.admission.held_readings import group_of
from detectors.admission.rules import PRESSURE
from detectors.configuration.late import LateConfig
from detectors.contract import LONG_AGO, Detector, Moment, Withdrawing
from detectors.late_data import gaps
from detectors.late_data.memory import HistoryReading, LateData, LateReading
from detectors.withdrawal.case import Case
from vigil.domain.reading import Withdrawal
from vigil.domain.signals import NAMES

NOT_THIS_DEVICE = frozenset({"wrong_patient", "wrong_device"})
"""Reasons for which the device is not to be preferred either."""


def forget(
    case: Case, detectors: Mapping[str, Detector], moments: Sequence[Moment], late: LateConfig
) -> None:
    """Drop them from admission and detectors; those that wait were dropped before
    (:func:`forget_waiting`).

    Args:
        late: what a reading that replaces one of them may fill.
        moments: of the withdrawn readings, the oldest first.
    """
    state = case.state
    for signal, times in case.times.items():
        track = state.tracks.get(signal)
        if track is None:
            continue
        if track.time in times or track.since in times:
            del state.tracks[signal]
        elif track.held_value is not None and track.jumped in times:
            track.release()
    withdrawn = {time for times in case.times.values() for time in times}
    for group in [name for name, row in state.held.items() if row.time in withdrawn]:
        del state.held[group]
    _open_gaps(case, late)
    if state.past is not None:
        state.past.judged = [
            row
            for row in state.past.judged
            if not any(row.time in case.times.get(name, ()) for name in row.values)
        ]
    _forget_device(case)
    for name, detector in detectors.items():
        if isinstance(detector, Withdrawing):
            detector.withdraw(state.memories[name], moments)


def forget_waiting(late: LateData, withdrawal: Withdrawal) -> None:
    """Drop withdrawn readings that wait to be judged."""
    known: dict[float, list[Mapping[str, float]]] = {}
    for each in withdrawal.readings:
        known.setdefault(each.time.timestamp(), []).append(each.values)

    def stays(row: LateReading | HistoryReading) -> bool:
        return not any(row.values.items() <= of.items() for of in known.get(row.time, ()))

    late.waiting = [row for row in late.waiting if stays(row)]
    late.history = [row for row in late.history if stays(row)]


def _open_gaps(case: Case, late: LateConfig) -> None:
    """Let readings that replace them be new, where the newest reading is later."""
    state, withdrawn = case.state, case.withdrawal.readings
    if not late.enabled or not state.first or len(withdrawn) > gaps.MOST_WITHDRAWN:
        return
    for group in sorted({group_of(name) for name in case.times if name in NAMES}):
        names = frozenset(PRESSURE if group == "pressure" else (group,))
        newest = max(state.newest.get(name, LONG_AGO) for name in names)
        kept = [one.time.timestamp() for one in case.remaining if not names.isdisjoint(one.values)]
        for one in withdrawn:
            time = one.time.timestamp()
            values = {name: one.values[name] for name in sorted(names & one.values.keys())}
            before = max((other for other in kept if other < time), default=case.since)
            after = min((other for other in kept if other > time), default=newest)
            if values and before < time <= newest:
                state.past = gaps.opened(
                    state.past, state.known, (before, after), [(time, values)], late
                )


def _forget_device(case: Case) -> None:
    """Prefer no device that was not this person's, or not for this person."""
    device, devices = case.withdrawal.device_id, case.state.devices
    if device is None or case.withdrawal.reason not in NOT_THIS_DEVICE:
        return
    if devices.only == device:
        devices.only = ""
    for signal in [name for name, row in devices.preferred.items() if row.device == device]:
        del devices.preferred[signal]


def forget_announced(case: Case, kind: str, onset: float) -> None:
    """An episode that does not stand covers nothing: late readings of its time are judged."""
    past = case.state.past
    if past is not None:
        past.announced[:] = [row for row in past.announced if row[:2] != (kind, onset)]
        past.bordering[:] = [
            row for row in past.bordering if (row.kind, row.episode.onset) != (kind, onset)
        ]
