"""History through two configurations at once, in one pass."""

from __future__ import annotations

from typing import NamedTuple

from detectors.burden.days import Days
from detectors.burden.ledger import Ledger
from detectors.config import DetectionConfig
from detectors.playing import Player
from vigil.model import Upload


class Outcome(NamedTuple):
    """What a pass gave."""

    days: Days
    before: Ledger
    after: Ledger
    """The same object as ``before`` where one configuration was run alone."""


class Backtest:
    """Takes uploads in the order of receipt.

    It keeps an engine's state for each patient and an entry for each alarm, never the readings. A
    patient for whom both configurations hold the same is played once.

    Args:
        silence: see :class:`detectors.playing.Player`.
        one_by_one: uploads come patient by patient: a patient's state is let go of when the next
            one begins, and the clock of silence begins anew.
    """

    def __init__(
        self, before: DetectionConfig, after: DetectionConfig | None = None, *,
        silence: bool = False, one_by_one: bool = False,
    ):  # fmt: skip
        self._configs = (before, before if after is None else after)
        self._silence = silence
        self._one_by_one = one_by_one
        self._last = ""
        self._same: dict[str, bool] = {}
        first = Ledger()
        self.outcome = Outcome(Days(), first, first if after is None else Ledger())
        self._begin()

    def take(self, upload: Upload) -> None:
        """Play one upload."""
        patient = upload.patient_id
        if self._one_by_one and patient != self._last:
            self._last = patient
            self._begin()
        days, before, after = self.outcome
        days.note(upload)
        same = self._same.get(patient)
        if same is None:
            same = self._same[patient] = self._alike(patient)
        events = self._players[0].take(upload)
        for event in events:
            before.add(event)
        if after is before:
            return
        for event in events if same else self._players[1].take(upload):
            after.add(event)

    def _begin(self) -> None:
        self._players = [Player(config, silence=self._silence) for config in self._configs]

    def _alike(self, patient: str) -> bool:
        one, two = self._configs
        return one.of(patient) == two.of(patient) and one.everyone.silence == two.everyone.silence
