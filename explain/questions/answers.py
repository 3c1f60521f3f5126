"""Questions about an alert, answered from its facts, its slots and the reviewed tables alone.

An answer is a few sentences of the tables with slots filled in, and its *basis*: each figure with
the key of the evidence that it is from, and the name of each sentence. What is not known is said
to be not known; what is not asked for here (:mod:`explain.questions.asking`) is refused, with what
to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from hashlib import sha256
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

from msgspec import Struct

from explain import languages, tables
from explain.facts import extraction as facts
from explain.facts.extraction import Facts
from explain.facts.slots import fill
from explain.questions import slots as question_slots
from explain.templates import drafts
from vigil.domain.alert import Audience
from vigil.domain.episode import Event

Intent = Literal[
    "why",
    "action",
    "meaning",
    "measured",
    "usual",
    "when",
    "over",
    "who",
    "sure",
    "rule",
    "parts",
    "scores",
]
INTENTS: tuple[Intent, ...] = get_args(Intent)
REFUSED = "refused"
MOST_SENTENCES = 5
POOR = 0.8
"""A share of usable readings below this is told to a patient as "some could not be used"."""
_MEASURED = (
    *("score", "heart_rate", "blood_pressure", "blood_pressure_mmhg"),
    *("average_blood_pressure", "average_blood_pressure_mmhg", "mean_arterial_pressure"),
    *("pulse_pressure", "shock_index", "spo2", "respiratory_rate", "temperature"),
)
"""What an answer lists of what was measured, in this order, as far as it is known."""


class Piece(NamedTuple):
    """A sentence or two of the tables, in the reader's locale, slots unfilled."""

    context: str
    """Where it stands in the tables."""
    text: str
    locale: str

    @property
    def entry(self) -> str:
        """Its name, with a digest of its wording."""
        return f"{self.locale}.{self.context}#{sha256(self.text.encode()).hexdigest()[:8]}"


class Notes(NamedTuple):
    """What an answer depends on beyond the facts. Yes or no, no figure."""

    seen: bool = False
    """Somebody of the care team has acknowledged it as it stands."""
    unused: bool = False
    """Less than :data:`POOR` of the recent readings could be used."""
    kept_back: bool = False
    """There is a usual, and this reader is not shown it."""


class Ground(Struct, frozen=True):
    """One thing that an answer rests on."""

    label: str
    """In the reader's words."""
    source: str
    """The key of the evidence or of the event; empty for words."""
    value: str


class Answer(Struct, frozen=True):
    """What is answered, and what it rests on."""

    intent: str
    """One of :data:`INTENTS`, or ``refused``."""
    question: str
    """The reviewed question; never what was typed."""
    text: str
    basis: tuple[Ground, ...]


class Book:
    """The tables of questions for a reader in a locale."""

    def __init__(self, audience: Audience, locale: str):
        name = "questions" if audience == "patient" else "questions_care_team"
        self.audience, self.locale, self._name = audience, locale, name
        self._table = tables.read(f"en/{name}.toml")

    def has(self, section: str, row: str) -> bool:
        """Whether there is such a row."""
        return row in self._table.get(section, {})

    def piece(self, section: str, row: str) -> Piece:
        """A row in the reader's words.

        Raises:
            KeyError: there is no such row.
        """
        context = f"{self._name}.{section}.{row}"
        text = self._table[section][row]
        return Piece(context, languages.of(self.locale).say(context, text), self.locale)

    def say(self, section: str, row: str) -> str:
        """Its text alone."""
        return self.piece(section, row).text

    @property
    def asks(self) -> tuple[Intent, ...]:
        """What this reader can ask, in the order of the buttons."""
        return tuple(self._table["ask"])


@cache
def book(audience: Audience, locale: str = "en") -> Book:
    """The tables of questions for a reader; the care team's are English."""
    return Book(audience, locale if audience == "patient" else "en")


def answer(
    intent: str,
    event: Event,
    audience: Audience,
    locale: str = "en",
    seen_at: datetime | None = None,
) -> Answer:
    """Answer a question about an event's step.

    Args:
        intent: one of the reader's :attr:`Book.asks`; anything else is refused.
        seen_at: when somebody of the care team acknowledged the alert as it stands.
    """
    words = book(audience, locale)
    rendered = question_slots.render(event, audience, words.locale)
    known = facts.of(event, audience, words.locale, rendered)
    share = question_slots.share_used(event)
    notes = Notes(
        seen_at is not None,
        share is not None and share < POOR,
        audience == "patient" and question_slots.kept_back(event),
    )
    asked = intent if intent in words.asks else REFUSED
    said = pieces(asked, known, notes, drafts.choice_of(event.event_id))
    return Answer(
        asked,
        words.say("ask", asked) if asked != REFUSED else "",
        languages.space(words.locale).join(fill(piece.text, rendered) for piece in said),
        tuple(_basis(words, said, rendered)),
    )


def pieces(intent: str, known: Facts, notes: Notes, choice: int = 0) -> list[Piece]:
    """The sentences of an answer, before their slots are filled: what the verifier judges."""
    words = book(known.audience, known.locale)
    return ANSWERS.get(intent, _refused)(words, known, notes, choice)


# ---- what each question is answered with

Speak = Callable[[Book, Facts, Notes, int], list[Piece]]


def _seen(words: Book, known: Facts, choice: int) -> Piece:
    """What we saw, in the tables' words."""
    equal = drafts.richest(drafts.sentences_for(known), frozenset(known.slots))
    sentence = equal[choice % len(equal)]
    return Piece(f"{words.audience}.{sentence.entry.split('#')[0]}", sentence.text, words.locale)


def _action(words: Book, known: Facts) -> Piece:
    """What to do, word for word."""
    place = (known.audience, known.category, known.situation)
    text = tables.actions(words.locale)[place][known.priority]
    return Piece(".".join(("actions", *place, known.priority)), text, words.locale)


def _why(words: Book, known: Facts, _notes: Notes, choice: int) -> list[Piece]:
    row = question_slots.groups()["why"].get(known.kind, "other")
    told = [_seen(words, known, choice)]
    if row == "limit" and "limit" in known.slots:
        return [*told, words.piece("why", "limit_known")]
    told.append(words.piece("why", row))
    if row == "usual" and "usual_range" in known.slots:
        told.append(words.piece("usual", "known"))
    return told


def _do(words: Book, known: Facts, _notes: Notes, _choice: int) -> list[Piece]:
    return [_action(words, known)]


def _meaning(words: Book, known: Facts, _notes: Notes, choice: int) -> list[Piece]:
    """What the finding is, while it lasts; no cause, no disease."""
    if known.situation == "now":
        block = drafts.block_for(known)
        context = f"{known.audience}.{known.kind}.{known.direction}.meaning"
        first = Piece(context, block.meaning, words.locale)
    else:
        first = _seen(words, known, choice)
    return [first, words.piece("meaning", "reason"), _action(words, known)]


def _measured(words: Book, known: Facts, _notes: Notes, _choice: int) -> list[Piece]:
    if known.category == "technical":
        return [words.piece("measured", "no_data" if known.kind == "no_data" else "device")]
    listed = [*_MEASURED, *(["extreme"] if "extreme" in known.slots else [])]
    if known.kind == "resting_heart_rate_raised":
        listed = ["resting", "extreme"]
    told = [words.piece("measured", row) for row in listed if words.has("measured", row)]
    told = [piece for piece in told if tables.slots_of(piece.text) <= set(known.slots)]
    if not told:
        return [words.piece("measured", "unknown")]
    head = words.piece("measured", "end" if known.situation == "ended" else "last")
    return [head, *told[: MOST_SENTENCES - 1]]


def _usual(words: Book, known: Facts, notes: Notes, _choice: int) -> list[Piece]:
    if "usual_range" in known.slots:
        return [words.piece("usual", "known"), words.piece("usual", "learned")]
    if notes.kept_back and words.has("usual", "elsewhere"):
        return [words.piece("usual", "elsewhere")]
    row = tables.kinds()[known.kind]
    compared = known.category == "clinical" and row.quantity not in {"", "score"}
    return [words.piece("usual", "unknown" if compared else "none")]


def _when(words: Book, known: Facts, _notes: Notes, choice: int) -> list[Piece]:
    rows = {"now": ("since", "lasting"), "ended": ("since", "until", "lasted")}
    wanted = rows.get("" if known.telling in tables.ENDS else known.situation, ("since",))
    told = [words.piece("when", row) for row in wanted if _fits(words, "when", row, known)]
    if known.telling in tables.ENDS:
        told.append(_seen(words, known, choice))
    return told or [words.piece("other", "unknown")]


def _over(words: Book, known: Facts, _notes: Notes, choice: int) -> list[Piece]:
    if known.telling in tables.ENDS:
        told = [_seen(words, known, choice), words.piece("over", "unknown")]
    elif known.situation == "ended":
        told = [
            words.piece("over", "yes") if "until" in known.slots else _seen(words, known, choice)
        ]
    else:
        told = [words.piece("over", "no" if known.situation == "now" else "unknown")]
    return [*told, _action(words, known)]


def _who(words: Book, _known: Facts, notes: Notes, _choice: int) -> list[Piece]:
    both = [words.piece("who", "both")] if words.has("who", "both") else []
    return [*both, words.piece("who", "seen" if notes.seen else "unseen")]


def _sure(words: Book, known: Facts, notes: Notes, _choice: int) -> list[Piece]:
    if known.category == "technical":
        return [words.piece("sure", "device")]
    rows = ["samples"] if "samples" in known.slots else []
    rows += [row for row in ("quality", "delay") if _fits(words, "sure", row, known)]
    if notes.unused and "quality" not in known.slots:
        rows.append("unused")
    return [words.piece("sure", row) for row in (*rows, "checked")]


def _rule(words: Book, known: Facts, _notes: Notes, _choice: int) -> list[Piece]:
    rows = [row for row in ("rule", "limit", "clear", "delay") if _fits(words, "rule", row, known)]
    return [words.piece("rule", row) for row in rows or ["unknown"]]


def _parts(words: Book, known: Facts, _notes: Notes, _choice: int) -> list[Piece]:
    return [words.piece("parts", "known" if "parts" in known.slots else "none")]


def _scores(words: Book, known: Facts, _notes: Notes, _choice: int) -> list[Piece]:
    rows = ("score", "known", "contributors")
    found = [row for row in rows if _fits(words, "scores", row, known)]
    return [words.piece("scores", row) for row in found or ["none"]]


def _refused(words: Book, known: Facts, _notes: Notes, _choice: int) -> list[Piece]:
    return [words.piece("other", "refused"), _action(words, known)]


def _fits(words: Book, section: str, row: str, known: Facts) -> bool:
    """There is such a row, and its slots are known."""
    return words.has(section, row) and tables.slots_of(words.say(section, row)) <= set(known.slots)


ANSWERS: MappingProxyType[str, Speak] = MappingProxyType(
    {
        "why": _why,
        "action": _do,
        "meaning": _meaning,
        "measured": _measured,
        "usual": _usual,
        "when": _when,
        "over": _over,
        "who": _who,
        "sure": _sure,
        "rule": _rule,
        "parts": _parts,
        "scores": _scores,
    }
)
"""Intent → how it is answered; any other is refused."""


def _basis(words: Book, said: list[Piece], rendered: dict[str, str]) -> Iterator[Ground]:
    """Each figure once, in the order that it stands, then the words."""
    told: dict[str, None] = {}
    for piece in said:
        told |= dict.fromkeys(tables.SLOT.findall(piece.text))
    for slot in told:
        yield Ground(words.say("basis", slot), question_slots.source(slot), rendered[slot])
    for piece in said:
        yield Ground(words.say("basis", "words"), "", piece.entry)
