"""The model process: reads questions on stdin, answers on stdout, one JSON object a line.

    child   {"type":"ready","model":"…","tuned":true}
            or  {"type":"failed","reason":"…","detail":"…"}
    parent  {"type":"ask","number":1,"messages":[…],"seconds":20,"seed":0}
    child   {"type":"answer","number":1,"text":"…"}  or  {"type":"failed",…}

It ends when stdin does, so it never outlives its parent, and after a failure. It runs at low
priority: detection comes first. Run as ``python -m explain.language_model.child installed FOLDER``,
``other FOLDER`` (any other local model) or ``endpoint URL MODEL``, whose key is read from the
environment (:data:`KEY`), where other users of the machine do not see it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import msgspec

from explain.language_model.adapter import AdapterRefusedError
from explain.language_model.message import Message
from explain.language_model.reasons import EndpointError
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from explain.language_model.endpoint import Endpoint
    from explain.language_model.inference import LanguageModel

NICENESS = 10
NO_MEMORY = ("can't allocate memory", "Cannot allocate memory", "bad_alloc", "out of memory")
"""Message parts of torch (a RuntimeError) and the system where memory ran out."""
KEY = "VIGIL_LLM_ENDPOINT_KEY"


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The model is loaded."""

    model: str
    tuned: bool = False
    """Expects :func:`explain.language_model.prompt.tuned_request`, not a conversation."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The model cannot be loaded, or cannot answer; the process ends."""

    reason: str
    detail: str


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """One question."""

    number: int
    messages: list[Message]
    seconds: float = 0
    """How long the answer may take; 0: as long as it needs."""
    seed: int = 0
    """0: the likeliest words; else words drawn by chance, the same for the same seed."""


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """Its answer."""

    number: int
    text: str


class Writer(Protocol):
    """What can answer."""

    identity: str
    tuned: bool

    def write(self, messages: list[Message], seconds: float = 0, seed: int = 0) -> str:
        """The answer to a conversation."""


_ask = msgspec.json.Decoder(Ask)


def serve(load: Callable[[], Writer]) -> int:
    """Load a writer and answer until stdin ends. Returns the process's exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    os.nice(NICENESS)
    answers = _own_stdout()
    try:
        writer = load()
        _send(answers, Ready(writer.identity, writer.tuned))
        for line in sys.stdin.buffer:
            ask = _ask.decode(line)
            _send(answers, Answer(ask.number, writer.write(ask.messages, ask.seconds, ask.seed)))
    except Exception as error:  # any, as a torch that does not fit the machine
        return _send(answers, failure_of(error), status=1)
    return 0


def failure_of(error: Exception) -> Failed:
    """Why there is no answer, as one of :data:`explain.language_model.reasons.FAILURE_REASONS`."""
    if isinstance(error, AdapterRefusedError):
        return Failed("adapter_refused", error.message)
    if isinstance(error, UnavailableError):
        return Failed("model_missing", error.message)
    if isinstance(error, EndpointError):
        return Failed(error.reason, error.detail)
    if isinstance(error, ImportError):
        return Failed("extra_missing", f"no {error.name}; install the extra `llm`")
    if isinstance(error, MemoryError) or any(sign in str(error) for sign in NO_MEMORY):
        return Failed("no_memory", type(error).__name__)
    return Failed("load_failed", type(error).__name__)


def _own_stdout() -> BinaryIO:
    """Keep stdout for answers; what a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _send(answers: BinaryIO, what: msgspec.Struct, status: int = 0) -> int:
    answers.write(msgspec.json.encode(what) + b"\n")
    answers.flush()
    return status


def main() -> int:
    """Serve the model that the command names."""
    match sys.argv[1:]:
        case ["endpoint", url, model]:
            key = os.environ.get(KEY, "")
            return serve(lambda: _endpoint()(url, model, key))
        case ["other", folder]:
            return serve(lambda: _local().other(Path(folder)))
        case ["installed", folder]:
            return serve(lambda: _local()(Path(folder)))
    return 2


def _endpoint() -> type[Endpoint]:
    from explain.language_model.endpoint import Endpoint  # noqa: PLC0415  (httpx)

    return Endpoint


def _local() -> type[LanguageModel]:
    from explain.language_model.inference import LanguageModel  # noqa: PLC0415  (torch)

    return LanguageModel


if __name__ == "__main__":
    sys.exit(main())
