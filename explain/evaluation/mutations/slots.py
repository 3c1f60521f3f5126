"""Errors of slots: one missing, one too many, one of another name, two in each other's place."""

from __future__ import annotations

import re
from random import Random

from explain.facts.signature import Signature
from explain.facts.slots import SLOTS

TIMES = frozenset({"duration", "since", "until"})
_LED = r"(?:,? (?:and |with |now |is |at |for |after |of |from |since |over |until |a ){0,4})?"


def dropped(signature: Signature, text: str, chance: Random) -> str | None:
    """One slot gone, with the words that lead to it."""
    if not signature.slots:
        return None
    slot = chance.choice(signature.slots)
    return re.sub(_LED + r"\{" + slot + r"\}", "", text, count=1)


def doubled(signature: Signature, text: str, chance: Random) -> str | None:
    """One slot a second time."""
    if not signature.slots:
        return None
    return text.removesuffix(".") + f", {{{chance.choice(signature.slots)}}}."


def renamed(signature: Signature, text: str, chance: Random) -> str | None:
    """A slot that the event has not, or that nobody knows, in the place of one."""
    if not signature.slots:
        return None
    slot = chance.choice(signature.slots)
    others = [name for name in SLOTS if name not in signature.slots]
    unknown = [slot.replace("_", ""), slot + "s", slot.title(), "x.__class__", f"{slot}!r", "0"]
    other = chance.choice([*others, *(name for name in unknown if name not in SLOTS)])
    return text.replace(f"{{{slot}}}", f"{{{other}}}")


def swapped(signature: Signature, text: str, chance: Random) -> str | None:
    """A time in a quantity's place and the reverse."""
    times = [slot for slot in signature.slots if slot in TIMES]
    quantities = [slot for slot in signature.slots if slot not in TIMES]
    if not times or not quantities:
        return None
    time, quantity = chance.choice(times), chance.choice(quantities)
    names = {time: quantity, quantity: time}
    return re.sub(rf"\{{({time}|{quantity})\}}", lambda match: f"{{{names[match[1]]}}}", text)
