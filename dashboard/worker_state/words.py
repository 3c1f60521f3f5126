"""The reviewed sentences on workers that do not work, for the head of every page.

A time stands in a sentence as ``{since}``, so that a page can write it as a ``<time>``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dashboard.worker_state.overview import Overview, ServiceState, StateKind

Level = Literal["severe", "caution", "neutral"]
LEVELS: Mapping[StateKind, Level] = {
    "checking": "neutral",
    "down": "severe",
    "part": "severe",
    "late": "caution",
}
SENTENCES: Mapping[str, Mapping[StateKind, str]] = {
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
"""Service → kind → sentence. In brackets: the wording with a time, and without one."""
UNANSWERED = (
    "Nothing is known of detection, words, paging and storing{since}: the message broker does not"
    " answer. Watch your patients directly."
)
_EITHER = re.compile(r"\[([^|\]]+)\|([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence of the head."""

    part: str
    """A service, or ``broker``."""
    level: Level
    before: str
    since: datetime | None
    after: str


def head_notices(overview: Overview) -> tuple[Notice, ...]:
    """The sentences on everything that does not work, the most severe first."""
    if overview.unanswered:
        return (_notice("broker", "severe", sentence=UNANSWERED, since=overview.since),)
    found = [_service_notice(state) for state in overview.states]
    order: tuple[Level, ...] = ("severe", "caution", "neutral")
    return tuple(sorted(found, key=lambda notice: order.index(notice.level)))


def _service_notice(state: ServiceState) -> Notice:
    behind = f"{state.minutes} minute{'' if state.minutes == 1 else 's'}"
    sentence = SENTENCES[state.service][state.kind].replace("{behind}", behind)
    return _notice(state.service, LEVELS[state.kind], sentence=sentence, since=state.since)


def _notice(part: str, level: Level, *, sentence: str, since: datetime | None) -> Notice:
    before, found, after = _EITHER.sub(r"\1" if since else r"\2", sentence).partition("{since}")
    return Notice(
        part=part,
        level=level,
        before=before + (" since " if found and since else ""),
        since=since,
        after=after,
    )
