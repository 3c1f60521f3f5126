"""Faults in an order and at moments that a seed decides, and that another run with it repeats."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """Something to be done to a running system; it returns when it is over."""

    name: str
    act: Callable[[], None]


class Planned(NamedTuple):
    """When a fault is due, in seconds from the start."""

    at: float
    fault: Fault


def plan(draw: random.Random, faults: Sequence[Fault], seconds: float) -> list[Planned]:
    """Each fault once, in random order, at random moments within a time."""
    shuffled = draw.sample(list(faults), len(faults))
    moments = sorted(draw.uniform(0, seconds) for _ in faults)
    return [Planned(at, fault) for at, fault in zip(moments, shuffled, strict=True)]


def print_line(line: str) -> None:
    """Tell whoever reads along (``pytest -s``), or reads what a failed test had written."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def carry_out(planned: Sequence[Planned]) -> None:
    """Do each when it is due, one at a time; one that takes long delays those behind it."""
    began = time.monotonic()
    for at, fault in planned:
        time.sleep(max(0.0, at - (time.monotonic() - began)))
        print_line(f"{time.monotonic() - began:6.1f} s  {fault.name}")
        fault.act()
