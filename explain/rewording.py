"""Better words, later: a thread that asks the model process and publishes what the verifier passes.

Nothing here can touch an alert that has gone out, or delay one. Where the queue is full the oldest
offer is dropped, answers that come late are dropped, a process that dies is started again after
growing pauses; each is counted (``rewordings_…``), and the template's words stand.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from explain import prompt, signature
from explain.compose import AUDIENCES, facts_of, reword
from explain.drafts import choice_of, draft, with_sentence
from explain.model_process import ModelDown, ModelProcess
from explain.verifier import verify_draft
from vigil import ids, logs
from vigil.errors import UnavailableError
from vigil.health import Health
from vigil.model import Alert, Audience, Event, Phrase

log = logs.get("rewording")
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


class Offer(NamedTuple):
    """An event whose alert is out, and when that was (monotonic seconds)."""

    event: Event
    offered: float


class Reworder:
    """Asks the model for each offered event, in order, on a thread of its own.

    Args:
        publish: sends a revision; called from this thread.
        deadline_seconds: from the offer to the revision.
        bound: offers that may wait at once.
    """

    def __init__(
        self, process: ModelProcess, publish: Callable[[Alert], None], health: Health,
        deadline_seconds: float, bound: int,
    ):  # fmt: skip
        self._process = process
        self._publish = publish
        self._health = health
        self._deadline_seconds = deadline_seconds
        self._offers: queue.Queue[Offer] = queue.Queue(bound)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rewording", daemon=True)

    def start(self) -> None:
        """Begin; the model loads meanwhile."""
        self._thread.start()

    def close(self) -> None:
        """End, letting go of what waits and of the model process."""
        self._stop.set()
        self._process.abort()  # wakes a thread that waits for an answer
        self._thread.join()
        self._process.close()

    def offer(self, event: Event) -> None:
        """Ask for better words. Never waits: where the queue is full, the oldest gives way.

        To be called from one thread.
        """
        if not wanted(event):
            return
        offer = Offer(event, time.monotonic())
        while True:
            try:
                self._offers.put_nowait(offer)
            except queue.Full:
                self._make_room()
            else:
                return

    def _make_room(self) -> None:
        try:
            self._offers.get_nowait()
        except queue.Empty:  # taken meanwhile
            return
        self._health.count("rewordings_dropped")

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stop.is_set():
            try:
                self._process.start()
                self._health.gauge("model_ready", 1)
                self._next()
                pause = FIRST_PAUSE_SECONDS
            except ModelDown as down:
                if self._stop.is_set():
                    return
                self._health.gauge("model_ready", 0)
                self._health.count(f"model_{down.reason.removeprefix('model_')}")
                log.warning("model down", reason=down.reason, detail=down.detail)
                self._stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _next(self) -> None:
        """Take one offer, if any comes soon."""
        try:
            event, offered = self._offers.get(timeout=0.2)
        except queue.Empty:
            return
        deadline = offered + self._deadline_seconds
        verified: dict[Audience, Phrase] = {}
        for audience in AUDIENCES:
            left = deadline - time.monotonic()
            if left <= 0:
                self._health.count("rewordings_late")
                return
            found = self._sentence(event, audience, left)
            if found is not None:
                verified[audience] = found
        if verified:
            self._send(reword(event, verified))

    def _sentence(self, event: Event, audience: Audience, seconds: float) -> Phrase | None:
        """The model's sentence, or None where it says nothing new or nothing that may go out."""
        facts = facts_of(event, audience)
        words = draft(facts, choice_of(event.event_id))
        said = prompt.messages(facts, words)
        sentence = self._process.ask(said, seconds)
        self._health.count("rewordings_asked")
        if sentence == words.seen.text:
            self._health.count("rewordings_same")
            return None
        refused = verify_draft(with_sentence(words, sentence), facts, words.seen.slots)
        for code in refused:
            self._health.count(f"rewordings_refused_{code}")
        if refused:
            self._health.count("rewordings_refused")
            return None
        key = signature.of(facts, words.seen.slots).key
        return Phrase(
            phrase_id=ids.phrase_id(key, sentence),
            signature=key,
            text=sentence,
            status="draft",
            author="model",
            revision=0,
            time=event.detected_at,
            model=self._process.model,
            prompt_hash=prompt.digest(said),
        )

    def _send(self, alert: Alert) -> None:
        try:
            self._publish(alert)
        except UnavailableError as error:
            self._health.count("rewordings_unsent")
            log.warning("rewording not sent", code=error.code)
        else:
            self._health.count("rewordings_published")


def wanted(event: Event) -> bool:
    """Whether better words are worth a second of the processor: not for what is history."""
    return not event.retrospective
