"""Times within the texts of alerts, for pages: marked, so that one page has one zone.

An alert's text is worded once, for every reader, with its times in UTC. A page shows the reader's
zone everywhere else. So the times in a text are found again, by the moments that they are of, and
stand in ``<time>`` elements, which the page's script writes as it writes all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Literal

from markupsafe import Markup, escape

from explain.facts.moments import times_stated
from explain.facts.slot_formatting import slot_formatter
from store.writing.bounds import LATEST
from vigil.domain.episode import Event
from vigil.domain.ids import timestamp
from vigil.values.clock import EARLIEST

Written = Literal["data-clock", "data-local"]
"""The attribute by which a page's script finds the element: the board's, or the phone's."""


def mark_times(
    text: str,
    moments: Iterable[datetime | None],
    *,
    seen_from: datetime,
    locale: str = "en",
    written: Written = "data-clock",
) -> Markup:
    """A text as HTML, each time that it states of these moments in an element of its own.

    Args:
        moments: what the text may state: an onset, an end.
        seen_from: the step's time; a time of another day than this stands with its date, or
            without it, where it is less than a day before.
    """
    stated: dict[str, datetime] = {}
    for moment in (*moments, seen_from):
        if moment is not None and EARLIEST <= moment < LATEST and EARLIEST <= seen_from < LATEST:
            for time in times_stated(moment, seen_from):
                stated.setdefault(slot_formatter(locale).format(time), moment)
    if not stated:
        return escape(text)
    longest = sorted(stated, key=len, reverse=True)
    pieces = re.split(f"({'|'.join(map(re.escape, longest))})", text)
    return Markup("").join(
        _element(piece, stated[piece], seen_from, written) if piece in stated else escape(piece)
        for piece in pieces
    )


def of_event(
    event: Event, locale: str = "en", written: Written = "data-clock"
) -> Callable[[str], Markup]:
    """:func:`mark_times` for what is said of one step of an episode."""
    return partial(
        mark_times,
        moments=(event.onset, event.ended_at),
        seen_from=event.detected_at,
        locale=locale,
        written=written,
    )


def _element(words: str, moment: datetime, seen_from: datetime, written: Written) -> Markup:
    """The element of a time; on the same day as ``data-seen`` it needs no date."""
    template = Markup('<time {} data-seen="{}" datetime="{}">{}</time>')
    return template.format(written, timestamp(seen_from), timestamp(moment), words)
