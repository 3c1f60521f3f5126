"""Words for what the phrasebook has none for, later: a thread that asks the model process.

What the verifier passes becomes a phrase, which everyone has from then on, and a revision of the
alert that wanted it. Nothing here can touch an alert that has gone out, or delay one. Where the
queue is full the oldest offer is dropped, answers that come late are dropped, a process that dies
is started again after growing pauses; each is counted (``rewordings_…``), and the words that went
out stand. Of one signature one question is asked, whatever the number of events.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from explain.facts.signature import Signature, facts_for
from explain.language_model.process import ModelDown, ModelProcess
from explain.language_model.reasons import REASONS, counter
from explain.phrasebook import writing
from explain.phrasebook.book import BANNED, Phrasebook, refusals
from explain.phrasebook.writing import Author
from explain.templates.compose import reword, signatures_of
from explain.templates.drafts import choice_of, sentences_for
from explain.verifier import RULES
from vigil.domain.alert import Alert, Audience
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.service import logs
from vigil.service.background import Pulse
from vigil.service.errors import UnavailableError
from vigil.service.health import Health
from vigil.values.clock import Clock, utc_now

log = logs.get("rewording")
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
LONGEST_SECONDS = 900.0
"""A model may load for minutes, and an offer is four questions at most."""
SEEDS = (0, 1)
"""Of a question and, where the answer is refused, of the same question once more: the likeliest
words, then words drawn by chance."""


class Known(Protocol):
    """The part of :class:`explain.phrasebook.topic.PhraseTopic` that is used here."""

    book: Phrasebook

    def find(self, signature: Signature, choice: int) -> Phrase | None:
        """A phrase that may be shown."""

    def add(self, phrase: Phrase) -> None:
        """Take a phrase that was written here, for everyone."""


class Offer(NamedTuple):
    """An event whose alert is out, what no phrase was there for, and when (monotonic seconds)."""

    event: Event
    unseen: dict[Audience, Signature]
    offered: float


class Reworder:
    """Asks the model for each offered event, in order, on a thread of its own.

    Args:
        known: the phrasebook; it takes what is written.
        publish: sends a revision; called from this thread.
        deadline_seconds: from the offer to the revision.
        bound: offers that may wait at once.
    """

    def __init__(
        self,
        process: ModelProcess,
        known: Known,
        publish: Callable[[Alert], None],
        health: Health,
        deadline_seconds: float,
        bound: int,
        clock: Clock = utc_now,
    ):
        self._process = process
        self._known = known
        self._publish = publish
        self._health = health
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._given_up: set[Signature] = set()
        """What the model could not say; it is not asked again as long as this process lives."""
        self._offers: queue.Queue[Offer] = queue.Queue(bound)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rewording", daemon=True)
        self._pulse = Pulse("rewording", self._thread, LONGEST_SECONDS)
        health.watch("rewording", self._pulse.look)
        health.declare(counter(reason) for reason in REASONS)
        health.declare(f"rewordings_refused_{code}" for code in (*(r.code for r in RULES), BANNED))

    def start(self) -> None:
        """Begin; the model loads meanwhile."""
        self._thread.start()

    def close(self) -> None:
        """End, letting go of what waits and of the model process."""
        self._pulse.done()
        self._stop.set()
        self._process.abort()  # wakes a thread that waits for an answer
        self._thread.join()
        self._process.close()

    def offer(self, event: Event) -> None:
        """Ask for words where there are none. Never waits: from a full queue the oldest gives way.

        To be called from one thread. What is history is not worth a second of the processor.
        """
        if event.retrospective:
            return
        unseen = {who: told for who, told in signatures_of(event).items() if self._wanted(told)}
        if not unseen:
            return
        offer = Offer(event, unseen, time.monotonic())
        while True:
            try:
                self._offers.put_nowait(offer)
            except queue.Full:
                self._make_room()
            else:
                return

    def _wanted(self, told: Signature) -> bool:
        return told not in self._given_up and not self._known.book.has(told)

    def _make_room(self) -> None:
        try:
            self._offers.get_nowait()
        except queue.Empty:  # taken meanwhile
            return
        self._health.count("rewordings_dropped")

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stop.is_set():
            self._pulse.beat()
            try:
                self._process.start()
                self._health.gauge("model_ready", 1)
                self._next()
                pause = FIRST_PAUSE_SECONDS
            except ModelDown as down:
                if self._stop.is_set():
                    return
                self._health.gauge("model_ready", 0)
                self._health.count(counter(down.reason))
                log.warning("model down", reason=down.reason, detail=down.detail)
                self._stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            except Exception as error:  # whatever it is: a thread that ended would go unseen
                self._health.count("rewordings_failed")
                log.warning("a rewording failed", error=type(error).__name__)

    def _next(self) -> None:
        """Take one offer, if any comes soon."""
        try:
            event, unseen, offered = self._offers.get(timeout=0.2)
        except queue.Empty:
            return
        deadline = offered + self._deadline_seconds
        choice, found = choice_of(event.event_id), dict[Audience, Phrase]()
        for audience, told in unseen.items():
            if time.monotonic() >= deadline:
                self._health.count("rewordings_late")
                break
            phrase = self._say(told, choice, deadline)
            if phrase is not None:
                found[audience] = phrase
        if found:
            self._send(reword(event, found, self._known))

    def _say(self, told: Signature, choice: int, deadline: float) -> Phrase | None:
        """A phrase for this very signature that may be shown, new or written for another event."""
        if self._wanted(told) and not self._write(told, deadline):
            return None
        phrase = self._known.find(told, choice)
        return phrase if phrase is not None and phrase.signature == told.key else None

    def _write(self, told: Signature, deadline: float) -> bool:
        """Ask for a sentence, twice at most, and give it to the phrasebook.

        Returns:
            Whether there is one, and it says more than the tables do.
        """
        author = Author(self._process.model, self._process.tuned)
        question = writing.question(told, author)
        for seed in SEEDS:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            sentence = self._process.ask(question, left, seed)
            self._health.count("rewordings_asked")
            phrase = writing.phrase(told, sentence, author, self._clock())
            held = self._known.book.get(phrase.phrase_id)
            refused = refusals(told, sentence, held)
            if not refused:
                self._known.add(phrase)
                return not self._the_tables_own(told, phrase)
            for code in refused:
                self._health.count(f"rewordings_refused_{code}")
        self._health.count("rewordings_refused")
        self._given_up.add(told)
        return False

    def _the_tables_own(self, told: Signature, phrase: Phrase) -> bool:
        same = phrase.text in {sentence.text for sentence in sentences_for(facts_for(told))}
        if same:
            self._health.count("rewordings_same")
        return same

    def _send(self, alert: Alert) -> None:
        try:
            self._publish(alert)
        except UnavailableError as error:
            self._health.count("rewordings_unsent")
            log.warning("rewording not sent", code=error.code)
        else:
            self._health.count("rewordings_published")
