"""How one process is doing."""

from __future__ import annotations

from msgspec import Struct

from vigil.domain.reading import Number, Timestamp


class Status(Struct, frozen=True):
    """How one process is doing. No figure is about a patient."""

    instance: str
    """Names the process for as long as it runs."""
    service: str
    version: str
    started: Timestamp
    time: Timestamp
    """When it was reported; the newest of an instance counts."""
    trouble: dict[str, str]
    """What keeps it from working, by part; empty when ready."""
    counters: dict[str, int]
    """Since it started."""
    gauges: dict[str, Number]
    since: dict[str, Timestamp] = {}
    """Part → since when it has been in trouble; the keys of ``trouble``."""
    ended: bool = False
    """True in the last status of a process that stopped on request, which reports no more."""
