"""History through two configurations at once, in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detectors.configuration.loading import DetectionConfig
from detectors.replayer import Replayer
from detectors.tuning.days import Days
from detectors.tuning.ledger import Ledger
from vigil.domain.episode import Event
from vigil.domain.reading import Upload


class Run:
    """One configuration over the history.

    Args:
        silence: see :class:`detectors.replayer.Replayer`.
        one_by_one: uploads come patient by patient: a patient's state is dropped when the next
            one begins, and the clock of silence begins anew.
    """

    def __init__(self, config: DetectionConfig, *, silence: bool = False, one_by_one: bool = False):
        self._config = config
        self._silence = silence
        self._one_by_one = one_by_one
        self._last = ""
        self._replayer = Replayer(config, silence=silence)
        self.ledger = Ledger()

    def take(self, upload: Upload) -> list[Event]:
        """Play one upload; what it causes is in the ledger then, and returned."""
        events: list[Event] = []
        if self._one_by_one and upload.patient_id != self._last:
            events += self.finish()
            self._last = upload.patient_id
            self._replayer = Replayer(self._config, silence=self._silence)
        return events + self._record(self._replayer.process(upload))

    def finish(self) -> list[Event]:
        """Judge the late data that still wait, as at the end of a recording."""
        return self._record(self._replayer.engine.finish())

    def _record(self, events: list[Event]) -> list[Event]:
        for event in events:
            self.ledger.add(event)
        return events


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass gave."""

    days: Days
    before: Ledger
    after: Ledger
    """The same object as ``before`` where one configuration was run alone."""


class Backtest:
    """Takes uploads in the order of receipt.

    It keeps an engine's state for each patient and an entry for each alarm, never the readings. A
    patient for whom both configurations hold the same is played once. The options are those of
    :class:`Run`.
    """

    def __init__(
        self,
        before: DetectionConfig,
        after: DetectionConfig | None = None,
        *,
        silence: bool = False,
        one_by_one: bool = False,
    ):
        self._before = before
        self._after = before if after is None else after
        self._one = Run(before, silence=silence, one_by_one=one_by_one)
        self._two = Run(self._after, silence=silence, one_by_one=one_by_one)
        self._alike: dict[str, bool] = {}
        self._alone = after is None
        ledgers = (self._one.ledger, (self._one if self._alone else self._two).ledger)
        self.outcome = Outcome(Days(), *ledgers)

    def take(self, upload: Upload) -> None:
        """Play one upload."""
        self.outcome.days.add_upload(upload)
        self._share(self._one.take(upload))
        if not (self._alone or self._same(upload.patient_id)):
            self._two.take(upload)

    def play(self, uploads: Iterable[Upload]) -> Outcome:
        """Play a history to its end; what it gave."""
        for upload in uploads:
            self.take(upload)
        self._share(self._one.finish())
        if not self._alone:
            self._two.finish()
        return self.outcome

    def _share(self, events: Iterable[Event]) -> None:
        """Count what was played once for both."""
        for event in events:
            if not self._alone and self._same(event.patient_id):
                self._two.ledger.add(event)

    def _same(self, patient: str) -> bool:
        """Whether both hold the same for a patient."""
        known = self._alike.get(patient)
        if known is None:
            one, two = self._before, self._after
            clocks = one.everyone.silence == two.everyone.silence
            known = self._alike[patient] = clocks and one.config_for(patient) == two.config_for(
                patient
            )
        return known
