"""Identifiers derived from content: the same input always gives the same id.

All are UUIDv5 (RFC 9562 §5.5) below one namespace of Vigil's, so a producer that sends something
twice, or a worker that computes it again after a crash, names it identically, and every sink can
upsert on it. A reading's is shorter: of nothing else are there so many, and it has to tell apart
only what one patient's devices measured at one moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1
from typing import Protocol
from uuid import UUID, uuid5

from msgspec.structs import force_setattr

NAMESPACE = uuid5(UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), "https://vigil.invalid/ids")
_SEED = NAMESPACE.bytes
_VARIANTS = {f"{digit:x}": f"{digit & 0b0011 | 0b1000:x}" for digit in range(16)}
"""Hexadecimal digit → the same with the two bits that a UUID of RFC 9562 has there."""


def derive(*parts: str) -> str:
    """A UUIDv5 of the parts, which may hold any text.

    Equal to ``uuid5(NAMESPACE, ...)``, written out because it is called for every reading.

    >>> derive("p1", "heart_rate_high") == derive("p1", "heart_rate_high")
    True
    >>> derive("a", "bc") == derive("ab", "c")
    False
    """
    text = _digest(parts)
    variant = _VARIANTS[text[16]]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def _digest(parts: Iterable[str]) -> str:
    """In hexadecimal."""
    name = "".join([f"{len(part)}:{part}" for part in parts])  # quicker than from a generator
    return sha1(_SEED + name.encode(), usedforsecurity=False).hexdigest()


def timestamp(time: datetime) -> str:
    """The one spelling of a moment in ids and on the wire: RFC 3339, UTC, ``Z``.

    >>> timestamp(datetime(2026, 11, 21, 6, 2, tzinfo=UTC))
    '2026-11-21T06:02:00Z'
    """
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def episode_id(patient_id: str, kind: str, onset: datetime) -> str:
    """Names an episode: one patient, one kind, one onset."""
    return derive("event", patient_id, kind, timestamp(onset))


@lru_cache(maxsize=8192)
def alert_id(event: str) -> str:
    """Names an episode's alert: one alert an episode, revised as the episode goes on."""
    return derive("alert", event)


def phrase_id(signature: str, text: str) -> str:
    """Names a sentence of the phrasebook: one wording for one signature."""
    return derive("phrase", signature, text)


def reading_id(patient_id: str, device_id: str, time: datetime, content: str) -> str:
    """Names a reading that came without an id; ``content`` is its values in canonical form.

    ``r-`` and 64 bits in hexadecimal: the store keeps it as one number.
    """
    return f"r-{_digest(('reading', patient_id, device_id, timestamp(time), content))[:16]}"


class NamesEpisode(Protocol):
    """A message about an episode, which carries two names of its id for one release:
    ``episode_id``, and ``event_id`` as earlier releases called it."""

    @property
    def episode_id(self) -> str: ...
    @property
    def event_id(self) -> str: ...


def fill_episode_names(message: NamesEpisode) -> None:
    """Give a message both names of its episode's id. A reader accepts either, or both.

    Raises:
        ValueError: it has neither, or two that differ. msgspec reports it as a ValidationError.
    """
    if not message.event_id:
        if not message.episode_id:
            raise ValueError("Object missing required field `episode_id` (or `event_id`)")
        force_setattr(message, "event_id", message.episode_id)  # type: ignore[arg-type]
    elif not message.episode_id:
        force_setattr(message, "episode_id", message.event_id)  # type: ignore[arg-type]
    elif message.episode_id != message.event_id:
        raise ValueError("`episode_id` and `event_id` name different episodes: send only one")
