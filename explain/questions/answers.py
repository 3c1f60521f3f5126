"""Questions about an alert, answered from its facts, its slots and the reviewed tables alone.

An answer is a few sentences of the tables with slots filled in, and its *basis*: each figure with
the key of the evidence that it is from, and the name of each sentence. What is not known is
reported as not known; other questions (:mod:`explain.questions.asking`) are refused, with what to
do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from explain import languages, tables
from explain.facts.extraction import Facts, extract_facts
from explain.facts.rows import action_rows
from explain.facts.slots import fill_slots
from explain.questions.slots import (
    question_groups,
    render_answer_slots,
    share_used,
    slot_source,
    withholds_usual_range,
)
from explain.questions.table import Piece, QuestionTable, question_table
from explain.templates.drafts import (
    block_for,
    choice_of,
    fullest,
    most_informative,
    sentences_for,
)
from vigil.domain.alert import Audience
from vigil.domain.episode import Event

REFUSED = "refused"
MAX_SENTENCES = 5
POOR_SHARE = 0.8
"""A share of usable readings below this is reported to a patient as "some could not be used"."""
_MEASURED = (
    *("score", "heart_rate", "blood_pressure", "blood_pressure_mmhg"),
    *("average_blood_pressure", "average_blood_pressure_mmhg", "mean_arterial_pressure"),
    *("pulse_pressure", "shock_index", "spo2", "respiratory_rate", "temperature"),
)
"""What an answer lists of what was measured, in this order, as far as it is known."""


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """What an answer depends on beyond the facts; no measured value."""

    seen: bool = False
    """A member of the care team has acknowledged the present step."""
    unused: bool = False
    """Less than :data:`POOR_SHARE` of the recent readings could be used."""
    kept_back: bool = False
    """A usual range is known, and this reader is not shown it."""
    choice: int = 0
    """Selects among equal sentences of the tables (:func:`explain.templates.drafts.choice_of`)."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One source of an answer: a figure or a sentence."""

    label: str
    """In the reader's words."""
    source: str
    """The key of the evidence or of the event; empty for words."""
    value: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and its sources."""

    intent: str
    """One of :data:`INTENTS`, or ``refused``."""
    question: str
    """The reviewed question; never what was typed."""
    text: str
    basis: tuple[Ground, ...]


def answer(
    intent: str,
    event: Event,
    audience: Audience,
    locale: str = "en",
    seen_at: datetime | None = None,
) -> Answer:
    """Answer a question about a step of an episode.

    Args:
        intent: one of the reader's :attr:`QuestionTable.intents`; anything else is refused.
        seen_at: when a member of the care team acknowledged the present step; None: nobody did.
    """
    table = question_table(audience, locale)
    rendered = render_answer_slots(event, audience, table.locale)
    facts = extract_facts(event, audience, locale=table.locale, slots=rendered)
    share = share_used(event)
    context = AnswerContext(
        seen=seen_at is not None,
        unused=share is not None and share < POOR_SHARE,
        kept_back=audience == "patient" and withholds_usual_range(event),
        choice=choice_of(event.episode_id),
    )
    asked = intent if intent in table.intents else REFUSED
    pieces = answer_pieces(asked, facts, context)
    return Answer(
        intent=asked,
        question=table.text("ask", asked) if asked != REFUSED else "",
        text=languages.sentence_separator(table.locale).join(
            fill_slots(piece.text, rendered) for piece in pieces
        ),
        basis=tuple(_basis(table, pieces, rendered)),
    )


def answer_pieces(intent: str, facts: Facts, context: AnswerContext) -> list[Piece]:
    """The sentences of an answer, before their slots are filled: what the verifier judges."""
    table = question_table(facts.audience, facts.locale)
    return ANSWERS.get(intent, _refused)(table, facts, context)


# ---- one writer for each question

AnswerWriter = Callable[[QuestionTable, Facts, AnswerContext], list[Piece]]


def _seen_piece(table: QuestionTable, facts: Facts, choice: int) -> Piece:
    """What we saw, in the tables' words."""
    equal = most_informative(sentences_for(facts), frozenset(facts.slots))
    sentence = equal[choice % len(equal)]
    return Piece(f"{table.audience}.{sentence.entry.split('#')[0]}", sentence.text, table.locale)


def _action(table: QuestionTable, facts: Facts) -> Piece:
    """The action of the tables, word for word."""
    place = (facts.audience, action_rows(facts), facts.situation)
    text = tables.actions(table.locale)[place][facts.priority]
    return Piece(".".join(("actions", *place, facts.priority)), text, table.locale)


def _why(table: QuestionTable, facts: Facts, context: AnswerContext) -> list[Piece]:
    row = question_groups()["why"].get(facts.kind, "other")
    pieces = [_seen_piece(table, facts, context.choice)]
    if row == "limit":
        return [*pieces, table.piece("why", _limit_row(table, facts))]
    pieces.append(table.piece("why", row))
    if row == "usual" and "usual_range" in facts.slots:
        pieces.append(table.piece("usual", "known"))
    return pieces


def _limit_row(table: QuestionTable, facts: Facts) -> str:
    """Of the sentences on a limit that was reached, the one that claims what was observed.

    That it held for its delay is stated where the readings stand close enough to bear it.
    """
    observed = ("limit_known", "limit")
    rows = observed if facts.duration_observed else ("limit_counted", "limit_seen", *observed)
    return next(row for row in rows if _fits(table, "why", row=row, facts=facts))


def _do(table: QuestionTable, facts: Facts, _context: AnswerContext) -> list[Piece]:
    return [_action(table, facts)]


def _meaning(table: QuestionTable, facts: Facts, context: AnswerContext) -> list[Piece]:
    """What the finding is, while it lasts; no cause, no disease."""
    if facts.situation == "now" and not facts.latest:
        block = block_for(facts)
        entry = f"{facts.audience}.{facts.kind}.{facts.direction}.meaning"
        first = Piece(entry, fullest(block.meaning, facts).text, table.locale)
    else:
        first = _seen_piece(table, facts, context.choice)
    return [first, table.piece("meaning", "reason"), _action(table, facts)]


def _measured(table: QuestionTable, facts: Facts, _context: AnswerContext) -> list[Piece]:
    if facts.category == "technical":
        return [table.piece("measured", "no_data" if facts.kind == "no_data" else "device")]
    listed = [*_MEASURED, *(["extreme"] if "extreme" in facts.slots else [])]
    if facts.kind == "resting_heart_rate_raised":
        listed = ["resting", "extreme"]
    pieces = [table.piece("measured", row) for row in listed if table.has("measured", row)]
    pieces = [piece for piece in pieces if tables.slots_of(piece.text) <= set(facts.slots)]
    if not pieces:
        return [table.piece("measured", "unknown")]
    head = table.piece("measured", "end" if facts.situation == "ended" else "last")
    return [head, *pieces[: MAX_SENTENCES - 1]]


def _usual(table: QuestionTable, facts: Facts, context: AnswerContext) -> list[Piece]:
    if "usual_range" in facts.slots:
        return [table.piece("usual", "known"), table.piece("usual", "learned")]
    if context.kept_back and table.has("usual", "elsewhere"):
        return [table.piece("usual", "elsewhere")]
    row = tables.kinds()[facts.kind]
    compared = facts.category == "clinical" and row.quantity not in {"", "score"}
    return [table.piece("usual", "unknown" if compared else "none")]


def _when(table: QuestionTable, facts: Facts, context: AnswerContext) -> list[Piece]:
    lasting = ("since",) if facts.latest else ("since", "lasting")
    rows = {"now": lasting, "ended": ("since", "until", "lasted")}
    wanted = rows.get("" if facts.announcement in tables.ENDS else facts.situation, ("since",))
    if not facts.duration_observed:
        counted = "counted" if "readings_beyond" in facts.slots else "first"
        wanted = (counted, "found", "unknown")
    pieces = [
        table.piece("when", row) for row in wanted if _fits(table, "when", row=row, facts=facts)
    ]
    if facts.announcement in tables.ENDS:
        pieces.append(_seen_piece(table, facts, context.choice))
    return pieces or [table.piece("other", "unknown")]


def _over(table: QuestionTable, facts: Facts, context: AnswerContext) -> list[Piece]:
    if facts.announcement in tables.ENDS:
        pieces = [_seen_piece(table, facts, context.choice), table.piece("over", "unknown")]
    elif facts.situation == "ended":
        row = "yes" if facts.duration_observed else "found"
        pieces = [
            table.piece("over", row)
            if _fits(table, "over", row=row, facts=facts)
            else _seen_piece(table, facts, context.choice)
        ]
    else:
        lasting = "no" if facts.duration_observed else "still"
        known = facts.situation == "now" and not facts.latest
        pieces = [table.piece("over", lasting if known else "unknown")]
    return [*pieces, _action(table, facts)]


def _who(table: QuestionTable, _facts: Facts, context: AnswerContext) -> list[Piece]:
    both = [table.piece("who", "both")] if table.has("who", "both") else []
    return [*both, table.piece("who", "seen" if context.seen else "unseen")]


def _sure(table: QuestionTable, facts: Facts, context: AnswerContext) -> list[Piece]:
    if facts.category == "technical":
        return [table.piece("sure", "device")]
    rows = ["samples"] if "samples" in facts.slots else []
    rows += [row for row in ("quality", "delay") if _fits(table, "sure", row=row, facts=facts)]
    if context.unused and "quality" not in facts.slots:
        rows.append("unused")
    return [table.piece("sure", row) for row in (*rows, "checked")]


def _rule(table: QuestionTable, facts: Facts, _context: AnswerContext) -> list[Piece]:
    rows = [
        row
        for row in ("rule", "limit", "clear", "delay")
        if _fits(table, "rule", row=row, facts=facts)
    ]
    return [table.piece("rule", row) for row in rows or ["unknown"]]


def _parts(table: QuestionTable, facts: Facts, _context: AnswerContext) -> list[Piece]:
    return [table.piece("parts", "known" if "parts" in facts.slots else "none")]


def _scores(table: QuestionTable, facts: Facts, _context: AnswerContext) -> list[Piece]:
    rows = ("score", "known", "contributors")
    found = [row for row in rows if _fits(table, "scores", row=row, facts=facts)]
    return [table.piece("scores", row) for row in found or ["none"]]


def _refused(table: QuestionTable, facts: Facts, _context: AnswerContext) -> list[Piece]:
    return [table.piece("other", "refused"), _action(table, facts)]


def _fits(table: QuestionTable, section: str, row: str, facts: Facts) -> bool:
    """Whether there is such a row, and all its slots are known."""
    return table.has(section, row) and tables.slots_of(table.text(section, row)) <= set(facts.slots)


ANSWERS: MappingProxyType[str, AnswerWriter] = MappingProxyType(
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


def _basis(table: QuestionTable, pieces: list[Piece], rendered: dict[str, str]) -> Iterator[Ground]:
    """Each figure once, in the order of the text, then the sentences."""
    slots: dict[str, None] = {}
    for piece in pieces:
        slots |= dict.fromkeys(tables.SLOT.findall(piece.text))
    for slot in slots:
        yield Ground(table.text("basis", slot), slot_source(slot), rendered[slot])
    for piece in pieces:
        yield Ground(table.text("basis", "words"), "", piece.entry)
