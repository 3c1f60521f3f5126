"""A sheet for blind judging: wordings of phrasebook and tables, shuffled, with a separate key."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from explain.templates.compose import AUDIENCES, Phrases, compose
from vigil.domain.episode import Event

EVENTS = 100
SHEET, KEY = "blind-sheet.csv", "blind-key.csv"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two wordings of the same event for the same reader."""

    event: str
    reader: str
    first: str
    second: str
    phrase_first: bool


def make_pairs(events: Iterable[Event], phrases: Phrases, seed: int) -> list[Pair]:
    """Pairs of texts that differ, for the first events that have them; readers in turn."""
    random, found = Random(seed), list[Pair]()
    for event in events:
        if len(found) == EVENTS:
            break
        reader = AUDIENCES[len(found) % len(AUDIENCES)]
        table, ours = compose(event), compose(event, phrases)
        texts = (ours.texts[reader]["en"].body, table.texts[reader]["en"].body)
        if ours.provenance[reader].author == "template" or texts[0] == texts[1]:
            continue
        phrase_first = random.random() < 0.5
        first, second = texts if phrase_first else texts[::-1]
        about = f"{event.kind}, {event.phase}, {event.priority}"
        found.append(
            Pair(
                event=about,
                reader=reader.replace("_", " "),
                first=first,
                second=second,
                phrase_first=phrase_first,
            )
        )
    return found


def write_sheet(folder: Path, sheet: list[Pair]) -> None:
    """The sheet to be filled in, and the key, each a file."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[list[object]] = [["number", "event", "reader", "A", "B", "better (A, B or equal)"]]
    key: list[list[object]] = [["number", "phrasebook"]]
    for number, pair in enumerate(sheet, 1):
        rows.append([number, pair.event, pair.reader, pair.first, pair.second, ""])
        key.append([number, "A" if pair.phrase_first else "B"])
    for name, lines in ((SHEET, rows), (KEY, key)):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
