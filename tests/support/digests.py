"""Digests of what detection makes of :mod:`tests.support.generated_wards`, and where they held.

``python -m tests.support.digests`` prints them; with ``--write`` it records them in ``RECORD``,
whose list of platforms says on which the same digests were seen. Where they are those recorded, the
platform joins the list; else the list begins anew with this one, since what the others give is not
known any more. So after a change of detection: once on each Python that is to be named, which needs
no more than ``requirements/run.txt`` (``make digests PYTHONS="…"``).

A digest leaves out what names the version and the configuration. The states of river's plug-ins are
left out too: they are pickles, whose bytes also depend on which strings are one object.
"""

from __future__ import annotations

import argparse
import math
import platform
import sys
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec.structs import replace

from detectors.configuration.loading import from_tables
from detectors.engine.engine import Engine
from tests.support.generated_wards import WARDS, ward
from vigil.domain.encoding import encode
from vigil.domain.episode import Event

RECORD = Path(__file__).parents[1] / "unit" / "detectors" / "engine" / "data" / "digests.json"
PACKAGES = ("msgspec", "numpy", "river", "scipy", "tzdata")
"""Those whose arithmetic, bytes or tables could reach an event."""
EXPONENTS = 20_000


class Platform(msgspec.Struct, frozen=True):
    """What ran detection."""

    python: str
    c_library: str
    machine: str
    exp: str
    """Digest of the C library's exponential function: where it differs, so may last digits."""
    packages: dict[str, str]


class Digest(msgspec.Struct, frozen=True):
    """Of a ward: how many events, and what they and the saved states hash to."""

    events: int
    events_sha256: str
    states_sha256: str | None
    """Halfway and at the end, patient by patient; None of plug-ins."""


class Record(msgspec.Struct, frozen=True):
    """What ``RECORD`` holds."""

    verified: list[Platform]
    wards: dict[str, Digest]


def present() -> Record:
    """The digests of this checkout on this platform."""
    here = Platform(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        c_library=" ".join(platform.libc_ver()).strip() or platform.system(),
        machine=platform.machine(),
        exp=exp_digest(),
        packages={name: version(name) for name in PACKAGES},
    )
    return Record([here], {name: digest(name) for name in WARDS})


def recorded() -> Record:
    """The digests in the repository."""
    return msgspec.json.decode(RECORD.read_bytes(), type=Record)


def digest(name: str) -> Digest:
    """What detection makes of a ward."""
    log, config = ward(name)
    engine, events, states = Engine(from_tables(dict(config))), list[Event](), list[bytes]()
    for place, item in enumerate(log):
        events += engine.tick(item) if isinstance(item, datetime) else engine.process(item)
        if place == len(log) // 2:
            states += [engine.state_of(patient) for patient in engine.known]
    events += engine.finish()
    states += [engine.state_of(patient) for patient in engine.known]
    lines = [encode(replace(event, detector_version="", config_hash="")) for event in events]
    return Digest(len(events), _sha256(lines), None if config.get("plugins") else _sha256(states))


def exp_digest() -> str:
    """Hash the exponential function: the one that saved states carry on unrounded and whose last
    bit is the C library's own, by processor even (docs/determinism.md).
    """
    values = (math.exp(-5.0 * place / EXPONENTS) for place in range(EXPONENTS))
    return _sha256(value.hex().encode() for value in values)[:16]


def _sha256(parts: Iterable[bytes]) -> str:
    hashed = sha256()
    for part in parts:
        hashed.update(part + b"\n")
    return hashed.hexdigest()


def merged(old: Record | None, new: Record) -> Record:
    """What is to be recorded: the platforms of both where the digests are the same."""
    if old is None or old.wards != new.wards:
        return new
    others = [one for one in old.verified if one not in new.verified]
    return replace(new, verified=sorted(others + new.verified, key=_by_version))


def _by_version(one: Platform) -> tuple[list[int], str, str]:
    numbers = one.python.split()[-1].split(".")
    return [int(n) for n in numbers if n.isdigit()], one.c_library, one.machine


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"record them in {RECORD.name}")
    write, new = parser.parse_args().write, present()
    if not write:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(new)) + b"\n")
        return
    old = recorded() if RECORD.exists() else None
    found = merged(old, new)
    RECORD.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    same = len(found.verified) > 1 or found == old
    names = ", ".join(one.python for one in found.verified)
    print("as recorded" if same else "recorded anew", "- verified on", names)  # noqa: T201


if __name__ == "__main__":
    _main()
