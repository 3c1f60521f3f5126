"""Writes sentences for signatures that no phrase covers: a thread that asks the model process.

What the verifier passes becomes a phrase, which every worker then uses, and a revision of the alert
that asked for it. Nothing here can change or delay an alert that has been published. From a full
queue the oldest request is dropped, late answers are dropped, and a process that ends is restarted
after growing pauses; each case has a counter (``rewordings_…``), and the published words stay.
A signature is asked for once, however many events have it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from explain.facts.signature import Signature, facts_of_signature
from explain.language_model.process import LanguageModelProcess, LanguageModelUnavailable
from explain.language_model.reasons import FAILURE_REASONS, counter_name
from explain.phrasebook.book import BANNED, Phrasebook, refusals
from explain.phrasebook.writing import Author, make_phrase, question_for
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
MAX_PAUSE_SECONDS = 60.0
MAX_SILENT_SECONDS = 900.0
"""Without a beat for longer, the thread counts as stuck: loading may take minutes, and a request is
four questions at most."""
SEEDS = (0, 1)
"""Of a question and, where the answer is refused, of the same question once more: 0 takes the most
probable words, another seed samples them."""


class SharedPhrasebook(Protocol):
    """The part of :class:`explain.phrasebook.topic.PhraseTopic` that is used here."""

    book: Phrasebook

    def find(self, signature: Signature, choice: int) -> Phrase | None:
        """A phrase that may be shown."""

    def add(self, phrase: Phrase) -> None:
        """Accept a phrase that was written here, for every worker."""


@dataclass(frozen=True, slots=True)
class RewordingRequest:
    """An event whose alert is published, and what is to be written for it."""

    event: Event
    uncovered: dict[Audience, Signature]
    """The signatures that no phrase covers."""
    requested_at: float
    """Monotonic seconds."""


class Reworder:
    """Asks the language model for each event offered, in order, on a thread of its own.

    Args:
        phrases: the phrasebook, which also receives what is written.
        publish: sends a revision; called from this thread.
        deadline_seconds: from the offer to the revision.
        bound: requests that may wait at once.
    """

    def __init__(
        self,
        process: LanguageModelProcess,
        phrases: SharedPhrasebook,
        publish: Callable[[Alert], None],
        health: Health,
        *,
        deadline_seconds: float,
        bound: int,
        clock: Clock = utc_now,
    ):
        self._process = process
        self._phrases = phrases
        self._publish = publish
        self._health = health
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._given_up: set[Signature] = set()
        """What the model could not word; it is not asked again as long as this worker runs."""
        self._requests: queue.Queue[RewordingRequest] = queue.Queue(bound)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rewording", daemon=True)
        self._pulse = Pulse("rewording", self._thread, MAX_SILENT_SECONDS)
        health.watch("rewording", self._pulse.look)
        health.declare(counter_name(reason) for reason in FAILURE_REASONS)
        health.declare(f"rewordings_refused_{code}" for code in (*(r.code for r in RULES), BANNED))

    def start(self) -> None:
        """Start the thread; the model loads on it."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and the model process; waiting requests are discarded."""
        self._pulse.done()
        self._stop.set()
        self._process.abort()  # wakes a thread that waits for an answer
        self._thread.join()
        self._process.close()

    def offer(self, event: Event) -> None:
        """Request sentences where no phrase covers an event. Never waits: a full queue drops its
        oldest request.

        To be called from one thread. History (``retrospective``) is not worth the processor time.
        """
        if event.retrospective:
            return
        uncovered = {
            audience: signature
            for audience, signature in signatures_of(event).items()
            if self._is_wanted(signature)
        }
        if not uncovered:
            return
        request = RewordingRequest(event, uncovered, time.monotonic())
        while True:
            try:
                self._requests.put_nowait(request)
            except queue.Full:
                self._drop_oldest()
            else:
                return

    def _is_wanted(self, signature: Signature) -> bool:
        return signature not in self._given_up and not self._phrases.book.has(signature)

    def _drop_oldest(self) -> None:
        try:
            self._requests.get_nowait()
        except queue.Empty:  # the thread was faster
            return
        self._health.count("rewordings_dropped")

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stop.is_set():
            self._pulse.beat()
            try:
                self._process.start()
                self._health.gauge("model_ready", 1)
                self._process_next()
                pause = FIRST_PAUSE_SECONDS
            except LanguageModelUnavailable as error:
                if self._stop.is_set():
                    return
                self._health.gauge("model_ready", 0)
                self._health.count(counter_name(error.reason))
                log.warning("language model unavailable", reason=error.reason, detail=error.detail)
                self._stop.wait(pause)
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
            except Exception as error:  # any: a thread that ended would go unnoticed
                self._health.count("rewordings_failed")
                log.warning("rewording failed", error=type(error).__name__)

    def _process_next(self) -> None:
        """Process one request, if any arrives soon."""
        try:
            request = self._requests.get(timeout=0.2)
        except queue.Empty:
            return
        deadline = request.requested_at + self._deadline_seconds
        choice, found = choice_of(request.event.episode_id), dict[Audience, Phrase]()
        for audience, signature in request.uncovered.items():
            if time.monotonic() >= deadline:
                self._health.count("rewordings_late")
                break
            phrase = self._find_or_write(signature, choice, deadline)
            if phrase is not None:
                found[audience] = phrase
        if found:
            self._send(reword(request.event, found, self._phrases))

    def _find_or_write(self, signature: Signature, choice: int, deadline: float) -> Phrase | None:
        """A phrase for exactly this signature that may be shown, whoever it was written for."""
        if self._is_wanted(signature) and not self._write(signature, deadline):
            return None
        phrase = self._phrases.find(signature, choice)
        return phrase if phrase is not None and phrase.signature == signature.key else None

    def _write(self, signature: Signature, deadline: float) -> bool:
        """Ask for a sentence, twice at most, and add it to the phrasebook.

        Returns:
            Whether there is one, and it is not the tables' own wording.
        """
        author = Author(self._process.identity, self._process.tuned)
        question = question_for(signature, author)
        for seed in SEEDS:
            seconds_left = deadline - time.monotonic()
            if seconds_left <= 0:
                return False
            sentence = self._process.ask(question, seconds_left, seed)
            self._health.count("rewordings_asked")
            phrase = make_phrase(signature, sentence, author=author, now=self._clock())
            codes = refusals(signature, sentence, self._phrases.book.get(phrase.phrase_id))
            if not codes:
                self._phrases.add(phrase)
                return not self._is_table_wording(signature, phrase)
            for code in codes:
                self._health.count(f"rewordings_refused_{code}")
        self._health.count("rewordings_refused")
        self._given_up.add(signature)
        return False

    def _is_table_wording(self, signature: Signature, phrase: Phrase) -> bool:
        table_sentences = sentences_for(facts_of_signature(signature))
        same = phrase.text in {sentence.text for sentence in table_sentences}
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
