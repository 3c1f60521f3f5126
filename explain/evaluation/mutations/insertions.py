"""What is put into a good sentence to make it wrong: what no sentence on what we saw may hold.

A list has words that a list of forbidden ones is likely to know and words that it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from types import MappingProxyType

from explain.facts.signature import Signature

INSERTED: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "number_inserted": (
            ", at 118",
            ", about 40 in all",
            " with 3 readings",
            ", up by 12",
            ", level 2",
            ", at ١١٨",
            ", at 118",
            ", at ½",
            " since 02:10",
            ", at 4x",
            ", phase II",
        ),
        "number_word_inserted": (
            ", at one hundred",
            ", about forty in all",
            ", twice",
            " for ten minutes",
            ", up by a dozen",
            ", half of the time",
            ", in twenty-two readings",
            ", three times",
            ", by a quarter",
            ", at sixty",
            ", tenfold",
        ),
        "diagnosis_inserted": (
            ", a sign of infection",
            " due to a fever",
            ", which is atrial fibrillation",
            " from a clot",
            " with sepsis",
            ", as in heart failure",
            ", caused by dehydration",
            " as in pericarditis",
            " from a goitre",
            ", most like a murmur",
            " from stress",
        ),
        "medicine_inserted": (
            " after your pills",
            " without metoprolol",
            " since the last dose",
            " with aspirin",
            " on treatment",
            " after the injection",
            " despite the tablets",
            " with an inhaler",
            " after the infusion",
            " on salbutamol",
            ", so take a tablet",
        ),
        "reassurance_inserted": (
            ", but all is well",
            ", which is normal",
            ", but do not worry",
            ", and you are fine",
            ", which is harmless",
            ", but that is nothing serious",
            ", so rest assured",
            ", which is okay",
            ", and there is no danger",
            ", and it will pass",
            ", and that is safe",
        ),
        "advice_inserted": (
            ", so call your doctor",
            ", please rest",
            ", so sit down",
            " and you should lie down",
            ", so drink some water",
            " and you must go to hospital",
            ", so try to relax",
            ", so check your device",
            ", tell your nurse",
            ", take a break",
            " and needs care",
        ),
        "alarming_inserted": (
            ", which is dangerous",
            " and you may die",
            ", which can be fatal",
            ", a critical state",
            ", which is life threatening",
            " and out of control",
            ", a severe reading",
            ", an emergency",
            ", a terrible sign",
            " and deadly",
            ", a grave matter",
        ),
        "name_inserted": (
            ", John",
            ", says Anna",
            ", Mr Khan",
            " for Maria Lopez",
            ", as Dr Rossi saw",
            " at St Thomas",
            ", Mrs Okafor",
            ", Ahmed",
            " on the Fitbit",
            " in Leeds",
        ),
    }
)
"""Kind → what is put before the full stop."""


def inserted(kind: str) -> Callable[[Signature, str, Random], str | None]:
    """The mutation that puts one of a kind's words at the end of a sentence."""

    def mutation(signature: Signature, text: str, chance: Random) -> str | None:
        del signature
        return text.removesuffix(".") + chance.choice(INSERTED[kind]) + "."

    return mutation
