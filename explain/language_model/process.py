"""The parent's side of the model process: start it, ask within a deadline, stop it on failure.

Every failure is a :class:`LanguageModelUnavailable` with a reason code and ends the process; the
next question starts another one.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

import msgspec

from explain.language_model.child import KEY, Answer, Ask, Failed, Ready
from explain.language_model.message import Message
from explain.language_model.reasons import FAILURE_REASONS

if TYPE_CHECKING:
    from vigil.service.settings import Settings

Reply = Ready | Failed | Answer
_reply = msgspec.json.Decoder(Reply)
LOAD_SECONDS = 180.0
"""The first start on a machine unpacks the model; later ones take a few seconds."""


class LanguageModelUnavailable(Exception):  # noqa: N818  (a state, not a mistake)
    """The model process cannot answer. ``reason`` is one of :data:`FAILURE_REASONS`."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class LanguageModelProcess:
    """One child process, started when first asked. Used by one thread, but for :meth:`abort`.

    Args:
        command: what to run; it keeps the protocol of :mod:`explain.language_model.child`.
        given: variables of the child's environment, besides those that are not Vigil's own.
    """

    def __init__(
        self,
        command: Sequence[str],
        load_seconds: float = LOAD_SECONDS,
        given: Mapping[str, str] | None = None,
    ):
        self._command = list(command)
        self._given = dict(given or {})
        self._load_seconds = load_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._replies: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._aborted = False
        self._asked = 0
        self.identity = ""
        """Name and digest of what answers; empty while nothing does."""
        self.tuned = False
        """Whether the model expects :func:`explain.language_model.prompt.tuned_request`."""

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Have a child that is ready.

        Raises:
            ModelDown: it cannot be.
        """
        if self._child is not None:
            return
        self._spawn()
        match self._receive(self._load_seconds, late="load_slow"):
            case Ready(identity, tuned):
                self.identity, self.tuned = identity, tuned
            case Failed(reason, detail):
                raise self._failed(reason, detail)
            case _:
                raise self._down("nonsense")

    def _spawn(self) -> None:
        replies = self._replies = queue.SimpleQueue[bytes]()
        with self._lock:
            if self._aborted:
                raise LanguageModelUnavailable("crashed", "aborted")
            try:
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=_without_settings() | self._given,
                )
            except OSError as error:
                raise LanguageModelUnavailable("load_failed", type(error).__name__) from error
        self._reader = threading.Thread(
            target=_read_lines,
            args=(self._child.stdout, replies),
            name="model-replies",
            daemon=True,
        )
        self._reader.start()

    def ask(self, messages: list[Message], seconds: float, seed: int = 0) -> str:
        """The model's answer, within a deadline; ``seed`` as in :class:`Ask`.

        Raises:
            ModelDown: there is none; the child is gone.
        """
        self.start()
        self._asked += 1
        self._send(Ask(number=self._asked, messages=messages, seconds=seconds, seed=seed))
        match self._receive(seconds, late="deadline"):
            case Answer(number, text) if number == self._asked:
                return text
            case Failed(reason, detail):
                raise self._failed(reason, detail)
            case _:
                raise self._down("nonsense")

    def abort(self) -> None:
        """Kill the child now and start none again. The only method for another thread."""
        with self._lock:
            self._aborted = True
            if self._child is not None:
                self._child.kill()

    def close(self) -> None:
        """End the child, at once."""
        with self._lock:
            child, self._child, self.identity = self._child, None, ""
        if child is None:
            return
        child.kill()
        child.wait()
        if self._reader is not None:  # it ends with the child's stdout
            self._reader.join()
        for pipe in (child.stdin, child.stdout):
            _close_pipe(pipe)

    def _send(self, what: Ask) -> None:
        stdin = self._child.stdin if self._child else None
        if stdin is None:
            raise self._down("crashed")
        try:
            stdin.write(msgspec.json.encode(what) + b"\n")
            stdin.flush()
        except OSError:  # the child has ended, or closed its input
            raise self._down(self._end()) from None

    def _receive(self, seconds: float, late: str) -> Reply:
        try:
            line = self._replies.get(timeout=seconds)
        except queue.Empty:
            raise self._down(late) from None
        if not line:
            raise self._down(self._end())
        try:
            reply: Reply = _reply.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._down("nonsense") from None
        return reply

    def _end(self) -> str:
        """The reason code of a child that has closed its output."""
        child = self._child
        if child is None or self._aborted:
            return "crashed"
        try:
            status = child.wait(timeout=1)
        except subprocess.TimeoutExpired:  # it has closed its stdout, no more
            return "crashed"
        return "killed" if status == -signal.SIGKILL else "crashed"

    def _failed(self, reason: str, detail: str) -> LanguageModelUnavailable:
        return self._down(reason if reason in FAILURE_REASONS else "load_failed", detail)

    def _down(self, reason: str, detail: str = "") -> LanguageModelUnavailable:
        """Stop the child; the error to raise."""
        self.close()
        return LanguageModelUnavailable(reason, detail)


def process_for_settings(
    settings: Settings, load_seconds: float = LOAD_SECONDS
) -> LanguageModelProcess:
    """The process of the model that the settings name: an endpoint, a folder, or the installed one.

    Nothing is started yet.
    """
    given: dict[str, str] = {}
    if settings.llm_endpoint:
        which: tuple[str, ...] = (
            "endpoint",
            settings.llm_endpoint,
            settings.llm_endpoint_model or "",
        )
        if settings.llm_endpoint_key:
            given[KEY] = settings.llm_endpoint_key.get_secret_value()
    elif settings.llm_model:
        which = ("other", str(settings.llm_model.expanduser()))
    else:
        which = ("installed", str(settings.model_dir.expanduser()))
    command = (sys.executable, "-m", "explain.language_model.child", *which)
    return LanguageModelProcess(command, load_seconds, given)


def _without_settings() -> dict[str, str]:
    """This process's environment but for Vigil's own: a model needs no password of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VIGIL_")}


def _read_lines(stream: IO[bytes] | None, replies: queue.SimpleQueue[bytes]) -> None:
    """Pass on each line; an empty one at the end, whether it ended or was closed."""
    try:
        for line in stream or ():
            replies.put(line)
    except (OSError, ValueError):
        pass
    replies.put(b"")


def _close_pipe(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:  # unsent bytes to a dead child
        pass
