"""A sheet to judge by eye: the phrasebook's wording beside the tables', shuffled, the key apart."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from random import Random

from msgspec import Struct

from explain.templates.compose import AUDIENCES, Phrases, compose
from vigil.domain.episode import Event

EVENTS = 100
SHEET, KEY = "blind-sheet.csv", "blind-key.csv"


class Pair(Struct, frozen=True):
    """Two ways to say the same event to the same reader."""

    event: str
    reader: str
    first: str
    second: str
    phrase_first: bool


def pairs(events: Iterable[Event], phrases: Phrases, seed: int) -> list[Pair]:
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
        found.append(Pair(about, reader.replace("_", " "), first, second, phrase_first))
    return found


def write(folder: Path, sheet: list[Pair]) -> None:
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
