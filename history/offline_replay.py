"""Runs a recording through detection and wording in this process: no broker, no database.

The same uploads, configuration and version give the same bytes: nothing here reads a clock, and ids
are derived from content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from detectors.replayer import Replayer
from explain.phrasebook.book import Phrasebook
from explain.phrasebook.files import shipped_phrases
from explain.templates.compose import compose
from vigil.domain.alert import Alert
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

if TYPE_CHECKING:
    from detectors.configuration.loading import DetectionConfig
    from vigil.service.settings import Settings


def detect(
    uploads: Iterable[Upload], config: DetectionConfig, *, silence: bool = False
) -> Iterator[Event]:
    """Yield the events of a recording, in the order in which they become known.

    Args:
        silence: judge "no data" too, by the recording's own clock (see
            :class:`detectors.replayer.Replayer`).
    """
    replayer = Replayer(config, silence=silence)
    for upload in uploads:
        yield from replayer.process(upload)
    yield from replayer.engine.finish()


def shipped_phrasebook(settings: Settings) -> Phrasebook:
    """Load the shipped_phrases phrasebook; reviewers' changes exist in the running system only."""
    return Phrasebook(shipped_phrases(), settings.patient_text)


def event_lines(event: Event, phrases: Phrasebook) -> Iterator[bytes]:
    """Yield an event and its alert, one JSON object a line."""
    yield encode_line("event", event)
    yield encode_line("alert", compose(event, phrases))


def encode_line(kind: str, what: Event | Alert) -> bytes:
    """Encode one line: the struct's JSON, with its type as the first key."""
    return b'{"type":"%b",%b\n' % (kind.encode(), encode(what)[1:])
