"""What the head of every page says of workers that do not work: whole sentences, reviewed.

A moment stands in a sentence as ``{since}``, so that a page can write it as a ``<time>``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from dashboard.worker_state.overview import Kind, Overview, State

Level = Literal["severe", "caution", "neutral"]
LEVELS: Mapping[Kind, Level] = {
    "checking": "neutral",
    "down": "severe",
    "part": "severe",
    "late": "caution",
}
WORDS: Mapping[str, Mapping[Kind, str]] = {
    "detectors": {
        "checking": "Vigil is checking whether detection runs.",
        "down": "Detection [has not been|is not] running{since}: nobody is being judged.",
        "part": "Part of detection [has not been|is not] running{since}:"
        " some patients are not being judged.",
        "late": "Detection is {behind} behind: alerts come late.",
    },
    "explain": {
        "checking": "Vigil is checking whether alerts get their words.",
        "down": "Alerts [have had|have] no words{since}, and no new alert is paged.",
        "part": "Some alerts [have had|have] no words{since}, and are not paged.",
        "late": "The words of alerts are {behind} behind, and so is paging.",
    },
    "notify": {
        "checking": "Vigil is checking whether people are paged.",
        "down": "Nobody [has been|is being] paged{since}: watch this board.",
        "part": "Some alerts [have not been|are not being] paged{since}: watch this board.",
        "late": "Paging is {behind} behind: watch this board.",
    },
    "store": {
        "checking": "Vigil is checking whether readings are stored.",
        "down": "Readings and alerts [have not been|are not being] stored{since}:"
        " what you see here is [as of then|old].",
        "part": "Some readings and alerts [have not been|are not being] stored{since}:"
        " they are missing here.",
        "late": "Storing is {behind} behind: what you see here is as old.",
    },
}
"""Service → kind → sentence. In brackets: its wording with a moment, and without one."""
UNANSWERED = (
    "Nothing is known of detection, words, paging and storing{since}: the message broker does not"
    " answer. Watch your patients directly."
)
_EITHER = re.compile(r"\[([^|\]]+)\|([^\]]+)\]")


class Notice(NamedTuple):
    """One sentence of the head."""

    part: str
    """What it is about: a service, or ``broker``."""
    level: Level
    before: str
    since: datetime | None
    after: str


def notices(overview: Overview) -> tuple[Notice, ...]:
    """The sentences of everything that does not work, the worst first."""
    if overview.unanswered:
        return (_notice("broker", "severe", UNANSWERED, overview.since),)
    said = [
        _notice(s.service, LEVELS[s.kind], _behind(WORDS[s.service][s.kind], s), s.since)
        for s in overview.states
    ]
    order: tuple[Level, ...] = ("severe", "caution", "neutral")
    return tuple(sorted(said, key=lambda notice: order.index(notice.level)))


def _behind(sentence: str, state: State) -> str:
    minutes = state.minutes
    return sentence.replace("{behind}", f"{minutes} minute{'' if minutes == 1 else 's'}")


def _notice(part: str, level: Level, sentence: str, since: datetime | None) -> Notice:
    before, found, after = _EITHER.sub(r"\1" if since else r"\2", sentence).partition("{since}")
    return Notice(part, level, before + (" since " if found and since else ""), since, after)
