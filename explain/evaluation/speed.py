"""How fast words are: alerts a second on one core, and what a sentence of the model costs."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from explain.language_model.message import Message
from explain.templates.compose import Phrases, compose
from vigil.domain.encoding import encode
from vigil.domain.episode import Event

PASSES = 7


@dataclass(frozen=True, slots=True)
class Composing:
    """Alerts on one core: processor time, the fastest of some passes."""

    alerts: int
    per_second: float
    encoded_per_second: float
    """With the JSON bytes that go to the topic."""
    hits: float
    """Share of texts worded by a phrase."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Sentences of the model, asked one at a time in its own process."""

    sentences: int
    median_seconds: float
    p95_seconds: float
    longest_seconds: float
    resident_mb: float
    """The model process's memory at its highest."""


def time_composing(events: Sequence[Event], phrases: Phrases | None) -> Composing:
    """Time :func:`explain.templates.compose.compose`; the first pass, which plans, is apart."""
    authors = [
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
        alerts=len(events),
        per_second=len(events) / plain,
        encoded_per_second=len(events) / bytes_too,
        hits=sum(author != "template" for author in authors) / len(authors),
    )


def _pass(events: Sequence[Event], process: Callable[[Event], object]) -> float:
    start = time.process_time()
    for event in events:
        process(event)
    return time.process_time() - start


def time_asking(
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
        sentences=len(taken),
        median_seconds=taken[len(taken) // 2],
        p95_seconds=taken[int(0.95 * len(taken))],
        longest_seconds=taken[-1],
        resident_mb=resident,
    )
