"""A recording through detection and wording in this process alone: no broker, no database.

The same uploads, configuration and version give the same bytes: nothing here asks a clock, and ids
are derived from content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from detectors.playing import Player
from explain.phrasebook.book import Phrasebook
from explain.phrasebook.files import shipped_phrases
from explain.templates.compose import compose
from vigil.domain.alert import Alert
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

if TYPE_CHECKING:
    from detectors.configuration.loading import DetectionConfig
    from explain.phrasebook.book import Phrasebook
    from vigil.service.settings import Settings


def detect(
    uploads: Iterable[Upload], config: DetectionConfig, *, silence: bool = False
) -> Iterator[Event]:
    """The events of a recording, in the order in which they become known.

    Args:
        silence: judge "no data" too, by the recording's own clock (see
            :class:`detectors.playing.Player`).
    """

    player = Player(config, silence=silence)
    for upload in uploads:
        yield from player.take(upload)
    yield from player.engine.finish()


def phrasebook(settings: Settings) -> Phrasebook:
    """The phrasebook as it was shipped; what reviewers changed since is in the running system."""

    return Phrasebook(shipped_phrases(), settings.patient_text)


def lines(event: Event, phrases: Phrasebook) -> Iterator[bytes]:
    """An event and its alert, one JSON object a line."""

    yield line("event", event)
    yield line("alert", compose(event, phrases))


def line(kind: str, what: Event | Alert) -> bytes:
    """One line: the struct's JSON, with its type in front."""
    return b'{"type":"%b",%b\n' % (kind.encode(), encode(what)[1:])
