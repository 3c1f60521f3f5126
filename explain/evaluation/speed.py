"""How fast words are: alerts a second on one core, and what a sentence of the model costs."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

import psutil
from msgspec import Struct

from explain.language_model.prompt import Message
from explain.templates.compose import Phrases, compose
from vigil.domain.encoding import encode
from vigil.domain.episode import Event

PASSES = 7


class Composing(Struct, frozen=True):
    """Alerts on one core: processor time, the fastest of some passes."""

    alerts: int
    per_second: float
    encoded_per_second: float
    """With the JSON bytes that go to the topic."""
    hits: float
    """Share of texts that a phrase told."""


class Asking(Struct, frozen=True):
    """Sentences of the model, asked one at a time in its own process."""

    sentences: int
    median_seconds: float
    p95_seconds: float
    longest_seconds: float
    resident_mb: float
    """The model process's memory at its highest."""


def composing(events: Sequence[Event], phrases: Phrases | None) -> Composing:
    """Time :func:`explain.templates.compose.compose`; the first pass, which plans, is apart."""
    told = [
        source.author for event in events for source in compose(event, phrases).provenance.values()
    ]
    gc.collect()
    gc.freeze()  # what the evaluation holds is not a worker's to look through
    plain = min(_pass(events, lambda event: compose(event, phrases)) for _ in range(PASSES))
    bytes_too = min(
        _pass(events, lambda event: encode(compose(event, phrases))) for _ in range(PASSES)
    )
    gc.unfreeze()
    return Composing(
        len(events),
        len(events) / plain,
        len(events) / bytes_too,
        sum(author != "template" for author in told) / len(told),
    )


def _pass(events: Sequence[Event], say: Callable[[Event], object]) -> float:
    start = time.process_time()
    for event in events:
        say(event)
    return time.process_time() - start


def asking(
    ask: Callable[[list[Message]], str], pid: int, prompts: Sequence[list[Message]]
) -> Asking:
    """Time each question to the model process; ``pid`` is that process's."""
    process, taken, resident = psutil.Process(pid), list[float](), 0.0
    for prompt in prompts:
        start = time.perf_counter()
        ask(prompt)
        taken.append(time.perf_counter() - start)
        resident = max(resident, process.memory_info().rss / 1e6)
    taken.sort()
    return Asking(
        len(taken), taken[len(taken) // 2], taken[int(0.95 * len(taken))], taken[-1], resident
    )
