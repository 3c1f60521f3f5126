"""A recording through detection and wording in this process alone: no broker, no database.

The same uploads, configuration and version give the same bytes: nothing here asks a clock, and ids
are derived from content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from vigil.model import Alert, Event, Upload, encode

if TYPE_CHECKING:
    from detectors.config import DetectionConfig

MINUTE = timedelta(minutes=1)


def detect(
    uploads: Iterable[Upload], config: DetectionConfig, *, silence: bool = False
) -> Iterator[Event]:
    """The events of a recording, in the order in which they become known.

    Args:
        silence: judge "no data" too, by the recording's own clock: a tick at each full minute of
            receive time, as far as the recording reaches. Without it nobody is ever missed, as in
            a replay through the running system that goes faster than time.
    """
    from detectors.engine import Engine

    engine = Engine(config)
    ticked: datetime | None = None
    for upload in uploads:
        if silence:
            now = upload.received_at.replace(second=0, microsecond=0)
            ticked = now if ticked is None else ticked
            while ticked < now:
                ticked += MINUTE
                yield from engine.tick(ticked)
        yield from engine.process(upload)
    yield from engine.finish()


def lines(event: Event) -> Iterator[bytes]:
    """An event and its alert, one JSON object a line."""
    from explain.compose import compose

    yield line("event", event)
    yield line("alert", compose(event))


def line(kind: str, what: Event | Alert) -> bytes:
    """One line: the struct's JSON, with its type in front."""
    return b'{"type":"%b",%b\n' % (kind.encode(), encode(what)[1:])
