"""Stands where a language model would: the real process and protocol, the words from a script.

``python scripted_model.py SCRIPT [FILE]``; FILE counts the starts, one line each.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path

from explain.language_model.child import Writer, serve
from explain.language_model.files import language_model_unavailable
from explain.language_model.message import Message

TABLE = "Your heart rate has been high for {duration}, now at {heart_rate}."
GOOD = "Your heart rate is high, now at {heart_rate}, and has been for {duration}."


class Scripted:
    """Answers as its script says."""

    identity = "scripted@test"
    tuned = False

    def __init__(self, script: str, starts: int):
        self.script = script
        if script == "tuned":
            self.identity, self.tuned = "scripted@test+words@1", True
        self.starts = starts

    def write(  # noqa: PLR0911, PLR0912  (one return a script)
        self, messages: list[Message], seconds: float = 0, seed: int = 0
    ) -> str:
        """The scripted answer, or none."""
        match self.script:
            case "good_at_last" if seed == 0:
                return "Your heart rate is high."
            case "table":
                return TABLE
            case "seed":
                return str(seed)
            case "crash":
                os._exit(3)
            case "crash_once" if self.starts == 1:
                os._exit(3)
            case "out_of_memory":
                resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
                return str(len(bytes(4 << 30)))
            case "torch_out_of_memory":
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "seconds":
                return str(seconds)
            case "slow":
                time.sleep(60)
            case "nonsense":
                sys.stdout.write("hello from a library\n")  # lands on stderr
                return "You are fine, your heart rate is 80!"
            case "settings":
                return " ".join(name for name in os.environ if name.startswith("VIGIL_")) or "none"
            case "echo":
                return messages[-1]["content"]
        return GOOD


def load() -> Writer:
    """The model, or why there is none."""
    script = sys.argv[1]
    starts = 0
    if len(sys.argv) > 2:
        with Path(sys.argv[2]).open("a+") as file:
            file.write("started\n")
            file.seek(0)
            starts = len(file.readlines())
    match script:
        case "missing":
            raise language_model_unavailable("There is no language model.")
        case "no_extra":
            raise ImportError("no module", name="torch")
        case "no_memory":
            raise MemoryError
        case "slow_load":
            time.sleep(60)
    return Scripted(script, starts)


if __name__ == "__main__":
    if sys.argv[1] == "not_the_protocol":
        os.write(1, b"hello\n")
        time.sleep(60)
    sys.exit(serve(load))
