"""An event to an alert, with templates: pure, deterministic, at once.

``compose`` is what every alert goes out with. ``reword`` is the same alert with what a language
model wrote, once that has passed the verifier, in place of one sentence: *what we saw*. Titles,
what it means, and what to do always come from the reviewed tables, word for word.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from explain import facts as facts_module
from explain import slots as slots_module
from explain import tables
from explain.facts import Facts
from explain.slots import fill
from explain.tables import Block, Frame, Sentence
from vigil import ids
from vigil.model import Alert, Audience, Event, Provenance, Text

AUDIENCES: tuple[Audience, ...] = ("care_team", "patient")


class Draft(Struct, frozen=True):
    """A text before its slots are filled: what the verifier judges."""

    title: str
    before: tuple[str, ...]
    seen: Sentence
    after: tuple[str, ...]
    action: str

    @property
    def body(self) -> str:
        """The sentences between title and action."""
        return " ".join((*self.before, self.seen.text, *self.after))

    @property
    def message(self) -> str:
        """Everything below the title."""
        return f"{self.body} {self.action}"


class Rewording(Struct, frozen=True):
    """A sentence that the verifier has passed, and who wrote it from what."""

    sentence: str
    model: str
    prompt_hash: str


def compose(event: Event) -> Alert:
    """The alert of an event, in the tables' words. The same event always gives the same alert."""
    return _alert(event, {}, 2 * event.sequence)


def reword(event: Event, by: Mapping[Audience, Rewording]) -> Alert:
    """The same alert, one revision later, with *what we saw* said in verified words of a model."""
    return _alert(event, by, 2 * event.sequence + 1)


def draft(facts: Facts, choice: int) -> Draft:
    """The delexicalised text for these facts; ``choice`` settles it among equal sentences."""
    seen = choose(sentences_for(facts), frozenset(facts.slots), choice)
    return around(facts, seen, also_told=False)


def around(facts: Facts, seen: Sentence, *, also_told: bool) -> Draft:
    """The tables' words around a sentence on what we saw.

    Args:
        also_told: the sentence names the further finding (:attr:`Facts.also`) itself.
    """
    table = tables.audience(facts.locale, facts.audience)
    block = block_for(facts)
    used = set(seen.slots)
    after = []
    if facts.also and not also_told:
        after.append(_plainly(facts))
    for detail in (*block.details, *table.frame.details):
        if used.isdisjoint(detail.slots) and detail.slots.issubset(facts.slots):
            after.append(detail.text)
            used |= detail.slots
    after += _circumstances(facts, table.frame)
    if facts.situation == "now" and not facts.also:  # room for one more sentence, not for two
        after.append(block.meaning)
    title = block.title if facts.situation == "now" else block.title_past
    if facts.synthetic:
        title = fill(table.frame.synthetic, {"title": title})
    before = (table.frame.late,) if facts.late else ()
    action = tables.actions(facts.locale)[facts.audience, facts.category, facts.situation]
    return Draft(title, before, seen, tuple(after), action[facts.priority])


def _plainly(facts: Facts) -> str:
    """The further finding in a sentence of its own, without slots."""
    kind, _, direction = facts.also.partition(".")
    blocks = tables.audience(facts.locale, facts.audience).blocks
    sentences = blocks[kind, direction].seen["opened"]  # type: ignore[index]
    return next(sentence.text for sentence in sentences if not sentence.slots)


def _circumstances(facts: Facts, frame: Frame) -> list[str]:
    """What the person was doing, for a clinical finding; what is wrong, for a technical one."""
    if facts.category == "clinical":
        told = frame.activity.get(facts.activity)
    else:
        told = None if facts.phase == "closed" else frame.reason.get(facts.reason)
    return [told] if told else []


def block_for(facts: Facts) -> Block:
    """The reviewed wordings of a kind in a direction."""
    return tables.audience(facts.locale, facts.audience).blocks[facts.kind, facts.direction]


def sentences_for(facts: Facts) -> tuple[Sentence, ...]:
    """The sentences that can say what we saw."""
    if facts.telling in tables.ENDS:
        return tables.audience(facts.locale, facts.audience).frame.ends[facts.telling]
    return block_for(facts).seen[facts.telling]


def choose(sentences: tuple[Sentence, ...], known: frozenset[str], choice: int) -> Sentence:
    """Of the sentences whose slots are all known, one of those that say the most."""
    possible = [s for s in sentences if s.slots <= known]
    most = max(len(s.slots) for s in possible)
    richest = [s for s in possible if len(s.slots) == most]
    return richest[choice % len(richest)]


def choice_of(event_id: str) -> int:
    """A number that an event's id settles, spread evenly."""
    return int.from_bytes(sha256(event_id.encode()).digest()[:8])


def facts_of(event: Event, audience: Audience, locale: str = "en") -> Facts:
    """The facts of an event for an audience."""
    return facts_module.of(event, audience, locale, slots_module.render(event, locale))


class _Said(Struct):
    """What an alert says to everyone, as it is put together."""

    texts: dict[Audience, dict[str, Text]] = {}
    provenance: dict[Audience, Provenance] = {}
    slots: dict[str, str] = {}


def _alert(event: Event, by: Mapping[Audience, Rewording], revision: int) -> Alert:
    said = _said(event, by, tables.LOCALES[0])
    return Alert(
        alert_id=ids.alert_id(event.event_id),
        event_id=event.event_id,
        patient_id=event.patient_id,
        revision=revision,
        sequence=event.sequence,
        kind=event.kind,
        category=event.category,
        phase=event.phase,
        priority=event.priority,
        retrospective=event.retrospective,
        time=event.detected_at,
        onset=event.onset,
        texts=said.texts,
        slots=said.slots,
        provenance=said.provenance,
        synthetic=event.synthetic,
    )


def _said(event: Event, by: Mapping[Audience, Rewording], locale: str) -> _Said:
    rendered = slots_module.render(event, locale)
    choice = choice_of(event.event_id)
    said, shown = _Said(), set[str]()
    for audience in AUDIENCES:
        words = draft(facts_module.of(event, audience, locale, rendered), choice)
        entry = f"{locale}.{audience}.{words.seen.entry}"
        said.provenance[audience] = Provenance("template", entry)
        if audience in by:
            words, said.provenance[audience] = _reworded(words, by[audience], entry)
        said.texts[audience] = {locale: Text(words.title, fill(words.body, rendered), words.action)}
        shown |= tables.slots_of(words.body)
    said.slots = {name: rendered[name] for name in sorted(shown)}
    return said


def _reworded(words: Draft, rewording: Rewording, entry: str) -> tuple[Draft, Provenance]:
    """The draft with the model's sentence in the place of the table's."""
    words = with_sentence(words, rewording.sentence)
    return words, Provenance(
        "model", entry, model=rewording.model, prompt_hash=rewording.prompt_hash
    )


def with_sentence(words: Draft, sentence: str) -> Draft:
    """The draft with another sentence for *what we saw*; all else stays."""
    seen = Sentence(sentence, tables.slots_of(sentence), words.seen.entry)
    return Draft(words.title, words.before, seen, words.after, words.action)
