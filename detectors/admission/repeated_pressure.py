"""Measurements that are sent again, among readings that are judged apart, in order of their time.

The rule is admission's (:meth:`detectors.admission.rules.Admission.is_repeated`).
"""

from __future__ import annotations

from collections.abc import Mapping

from detectors.admission.rules import PRESSURE, Admission
from detectors.admission.tracks import Number, Track


class RepeatedPressure:
    """Takes the pressures of one patient, the oldest first.

    Args:
        admission: knows when a pressure is the last one again.
    """

    def __init__(self, admission: Admission):
        self._admission = admission
        self._tracks: dict[str, Track] = {}
        self._numbered: dict[str, Track] = {}

    def without(
        self, values: Mapping[str, float], time: float, number: Number | None
    ) -> dict[str, float]:
        """The values, without a pressure that is the last one sent again, and without any other
        that is the last one with its device's same number.

        Args:
            time: when it was measured, in seconds since 1970 UTC.
            number: the device's own of the measurement; None: it gives none.
        """
        values = self._unnumbered(values, time, number)
        if "systolic" not in values:
            return dict(values)
        if self._admission.is_repeated(values, time, self._tracks, number):
            for track in self._tracks.values():
                track.repeated = time
            return {name: value for name, value in values.items() if name not in PRESSURE}
        self._tracks = {
            name: Track(values[name], time, since=time, sequence=number)
            for name in PRESSURE
            if name in values
        }
        return dict(values)

    def _unnumbered(
        self, values: Mapping[str, float], time: float, number: Number | None
    ) -> Mapping[str, float]:
        """The values without those, but a pressure, whose number is that of the last equal one."""
        if number is None:
            return values
        known = self._numbered
        fresh = {
            name: value
            for name, value in values.items()
            if name not in known or not known[name].is_numbered_again(name, value, number)
        }
        for name in fresh.keys() - set(PRESSURE):
            known[name] = Track(fresh[name], time, since=time, sequence=number)
        return fresh
