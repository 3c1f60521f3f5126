"""A generated ward that one build of detection begins and another, or the same, goes on with.

``python -m tests.support.handed_over WARD FILE`` goes on from a file of :func:`begin`'s bytes and
prints a line for each event, and for each state at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from detectors.configuration.loading import from_tables
from detectors.engine.engine import Engine
from tests.support.generated_wards import ward
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.reading import Upload


class Begun(msgspec.Struct):
    """What a partition's owner leaves to the next: its clock, and states by patient."""

    watermark: datetime | None
    states: dict[str, bytes]


def begin(name: str) -> bytes:
    """What is left after half of a ward's log."""
    log, config = ward(name)
    engine = Engine(from_tables(dict(config)))
    _events(engine, log[: len(log) // 2])
    states = {patient: engine.state_of(patient) for patient in engine.patients()}
    return msgspec.msgpack.encode(Begun(engine.watermark, states))


def finish(name: str, begun: bytes) -> list[str]:
    """Events of the other half, and the states at its end, as hexadecimal digits."""
    log, config = ward(name)
    engine, saved = Engine(from_tables(dict(config))), msgspec.msgpack.decode(begun, type=Begun)
    engine.watermark = saved.watermark
    for patient, state in saved.states.items():
        engine.load_state(patient, state)
    events = [*_events(engine, log[len(log) // 2 :]), *engine.finish()]
    states = [engine.state_of(patient) for patient in engine.patients()]
    return [line.hex() for line in [*map(encode, events), *states]]


def _events(engine: Engine, log: Iterable[Upload | datetime]) -> list[Event]:
    found: list[Event] = []
    for item in log:
        found += engine.tick(item) if isinstance(item, datetime) else engine.process(item)
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(finish(sys.argv[1], Path(sys.argv[2]).read_bytes())))
