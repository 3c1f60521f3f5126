"""Reason codes of a language model that cannot answer; the counter ``model_<code>`` counts each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

FAILURE_REASONS = {
    "model_missing": "The model's file is not there or is not the pinned one.",
    "adapter_refused": "The adapter is damaged, or for another base model.",
    "extra_missing": "The extra `llm` is not installed.",
    "load_failed": "The model could not be loaded.",
    "no_memory": "There was not enough memory to load the model or to answer.",
    "load_slow": "The model was not loaded in time.",
    "crashed": "The model process ended.",
    "killed": "The model process was killed, as the kernel does where memory ends.",
    "deadline": "The answer took too long; the process was stopped.",
    "nonsense": "The model process sent an invalid answer.",
    "endpoint_down": "The endpoint cannot be reached.",
    "endpoint_slow": "The endpoint did not answer in time.",
    "endpoint_refused": "The endpoint refused the request, as for a wrong key or model (4xx).",
    "endpoint_failed": "The endpoint failed (5xx).",
    "endpoint_nonsense": "The endpoint's answer is too large or invalid.",
}


class EndpointError(Exception):
    """The endpoint gives no answer. ``reason`` is one of :data:`FAILURE_REASONS`."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def counter_name(reason: str) -> str:
    """The counter of a reason.

    >>> counter_name("model_missing"), counter_name("crashed")
    ('model_missing', 'model_crashed')
    """
    return f"model_{reason.removeprefix('model_')}"


def counted_failures(counters: Mapping[str, int]) -> Iterator[tuple[str, str, int]]:
    """Counter, meaning and how often, of each reason that has been counted.

    >>> list(counted_failures({"model_crashed": 2, "alerts": 9}))
    [('model_crashed', 'The model process ended.', 2)]
    """
    for reason, meaning in FAILURE_REASONS.items():
        times = counters.get(counter_name(reason), 0)
        if times:
            yield counter_name(reason), meaning, times
