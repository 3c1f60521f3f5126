"""The model process: reads questions on stdin, answers on stdout, one JSON object a line.

    child   {"type":"ready","model":"…"}  or  {"type":"failed","reason":"…","detail":"…"}
    parent  {"type":"ask","number":1,"messages":[…]}
    child   {"type":"answer","number":1,"text":"…"}

It ends when stdin does, so it never outlives its parent. It runs at low priority: detection comes
first. Run as ``python -m explain.model_child FOLDER``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from explain.prompt import Message
from vigil.errors import UnavailableError

NICENESS = 10


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The model is loaded."""

    model: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The model cannot be loaded; the process ends."""

    reason: str
    detail: str


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """One question."""

    number: int
    messages: list[Message]


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """Its answer."""

    number: int
    text: str


class Writer(Protocol):
    """What can answer."""

    identity: str

    def write(self, said: list[Message]) -> str:
        """The answer to a conversation."""


_ask = msgspec.json.Decoder(Ask)


def serve(load: Callable[[], Writer]) -> int:
    """Load a writer and answer until stdin ends. Returns the process's exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    os.nice(NICENESS)
    answers = _own_stdout()
    try:
        writer = load()
    except UnavailableError as error:
        return _say(answers, Failed("model_missing", error.message), status=1)
    except ImportError as error:
        return _say(answers, Failed("extra_missing", f"no {error.name}; install vigil[llm]"), 1)
    except Exception as error:  # out of memory, a torch that does not fit: all the same to alerts
        return _say(answers, Failed("load_failed", type(error).__name__), status=1)
    _say(answers, Ready(writer.identity))
    for line in sys.stdin.buffer:
        ask = _ask.decode(line)
        _say(answers, Answer(ask.number, writer.write(ask.messages)))
    return 0


def _own_stdout() -> BinaryIO:
    """Keep stdout for answers; what a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _say(answers: BinaryIO, what: msgspec.Struct, status: int = 0) -> int:
    answers.write(msgspec.json.encode(what) + b"\n")
    answers.flush()
    return status


def main() -> int:
    """Serve the installed model."""
    from explain.model import LanguageModel  # noqa: PLC0415  (torch)

    return serve(lambda: LanguageModel(Path(sys.argv[1])))


if __name__ == "__main__":
    sys.exit(main())
