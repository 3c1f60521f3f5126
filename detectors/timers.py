"""When each patient is next to be looked at, and who waits for nothing.

Each tick asks who is due and each reading moves a deadline, of a ward of any size; so neither may
look at everyone. The queue holds one entry a patient that is no later than the deadline: readings
move deadlines onwards, and an entry that comes up too early is put back where it belongs by now.

Whoever has no deadline *rests*, in the order in which they were last touched.
"""

from __future__ import annotations

from heapq import heappop, heappush

from detectors.contract import NEVER


class Timers:
    """The deadlines of one engine's patients, in seconds of receive time."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []
        self._queued: dict[str, float] = {}
        """Patient → the entry of the queue that counts; any other of theirs is stale."""
        self._resting: dict[str, float] = {}
        """Patient without a deadline → when they were last touched, the longest ago first."""

    def set(self, patient_id: str, due: float, now: float) -> None:
        """Look at a patient at ``due``; never: they rest from now on."""
        self._due[patient_id] = due
        if self._resting:
            self._resting.pop(patient_id, None)
        queued = self._queued.get(patient_id)
        if due == NEVER:
            self._resting[patient_id] = now
        elif queued is None or due < queued:
            self._queued[patient_id] = due
            heappush(self._queue, (due, patient_id))

    def drop(self, patient_id: str) -> None:
        """Forget a patient."""
        for known in (self._due, self._queued, self._resting):
            known.pop(patient_id, None)

    def due(self, now: float) -> list[str]:
        """Who is due, by id. They are looked at once: each needs a new deadline."""
        found = []
        while self._queue and self._queue[0][0] <= now:
            entry, patient_id = heappop(self._queue)
            if self._queued.get(patient_id) != entry:
                continue
            del self._queued[patient_id]
            due = self._due[patient_id]
            if due <= now:
                found.append(patient_id)
            elif due != NEVER:
                self.set(patient_id, due, now)
        return sorted(found)

    def resting(self, before: float) -> list[str]:
        """Who rests and was not touched since ``before``, by id. Looks no further than them."""
        found = []
        for patient_id, since in self._resting.items():
            if since > before:
                break
            found.append(patient_id)
        return sorted(found)
