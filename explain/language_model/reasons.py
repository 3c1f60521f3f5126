"""Why a language model cannot answer, by reason code: the counter ``model_<code>`` counts each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

REASONS = {
    "model_missing": "The model's file is not there or is not the pinned one.",
    "adapter_refused": "The adapter is damaged, or for another base model.",
    "extra_missing": "The extra `llm` is not installed.",
    "load_failed": "The model could not be loaded.",
    "no_memory": "There was not enough memory to load the model or to answer.",
    "load_slow": "The model was not loaded in time.",
    "crashed": "The model process ended.",
    "killed": "The model process was killed, as the kernel does where memory ends.",
    "deadline": "The answer took too long; the process was stopped.",
    "nonsense": "The model process said something that is no answer.",
    "endpoint_down": "The endpoint cannot be reached.",
    "endpoint_slow": "The endpoint did not answer in time.",
    "endpoint_refused": "The endpoint refused the request, as for a wrong key or model (4xx).",
    "endpoint_failed": "The endpoint failed (5xx).",
    "endpoint_nonsense": "The endpoint's answer is too large or is no answer.",
}


def counter(reason: str) -> str:
    """The counter of a reason.

    >>> counter("model_missing"), counter("crashed")
    ('model_missing', 'model_crashed')
    """
    return f"model_{reason.removeprefix('model_')}"


def counted(counters: Mapping[str, int]) -> Iterator[tuple[str, str, int]]:
    """Counter, meaning and how often, of each reason that has been counted.

    >>> list(counted({"model_crashed": 2, "alerts": 9}))
    [('model_crashed', 'The model process ended.', 2)]
    """
    for reason, meaning in REASONS.items():
        times = counters.get(counter(reason), 0)
        if times:
            yield counter(reason), meaning, times
