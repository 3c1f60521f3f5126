"""What the verifier knows of a language, compiled from ``tables/<locale>/lexicon.toml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from explain import tables

Pattern = re.Pattern[str]
TIMES = ("duration", "since", "until", "first_seen", "found_over", "unseen_since")
"""The slots that hold a time or a span."""
_NEVER = re.compile(r"(?!)")
_FURTHER_CASES = {"i": "\u0130\u0131", "k": "\u212a", "s": "\u017f"}
"""ASCII letter → what else matches it when case is ignored: dotted and dotless i, the Kelvin sign
and the long s."""
_PLAIN_START = re.compile(r"[A-Za-z](?![?*+{])(?:[^|()]|\((?:[^()]|\([^()]*\))*\))*\Z")
"""A word of a list whose first letter is a letter of all that it matches."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a text for an audience may be; ``grade`` None: any reading grade."""

    sentences: int
    words: int
    grade: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What the verifier knows of one kind."""

    topics: frozenset[str]
    """What it is about: one of them must be named."""
    further_topics: frozenset[str]
    """What else its text may be about."""
    words: Pattern
    """Words that assert it, or a direction of it, for this kind alone: groups ``condition``,
    ``end``, ``rise``, ``fall``, ``above`` and ``below``."""
    subjects: Pattern
    """Every subject that a text on this kind may name, its topic as the group's name."""
    reference: Pattern | None
    """What it is measured against, without which it would mean something else."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The word lists of one locale, each as one pattern."""

    neutral: Pattern
    breaks: Pattern
    joins: Pattern
    signals: Pattern
    """Groups ``end``, ``span``, ``fall``, ``rise``, ``above``, ``below``, ``same``, ``after``,
    ``negator``, ``lasting``, ``history``, ``past`` and ``present``, in this order of preference."""
    unfinished: Pattern
    """An end that has not come yet: "is coming down"."""
    vitals: Pattern
    """What any finding can be about, its topic as the group's name."""
    kinds: dict[str, Row]
    elsewhere: dict[str, Pattern]
    """Category, or topic, of a finding → words of another kind of finding."""
    context: Pattern
    """Groups named by activity, and ``other``."""
    context_negated: Pattern
    context_advised: Pattern
    """What an action asks for, which claims nothing of what was done."""
    context_free: frozenset[str]
    """Kinds whose text may name rest or sleep as their circumstance."""
    times: Pattern
    times_of_days: Pattern
    """The words of time that the kinds in ``judged_over_days`` may use."""
    judged_over_days: frozenset[str]
    durations: Pattern
    """Words that claim that a condition lasted from one reading to the next."""
    persisting: Pattern
    """Words that say of a finding that it still is."""
    doubt: Pattern
    degree: Pattern
    forbidden: dict[str, Pattern]
    audiences: dict[str, Pattern]
    places: dict[str, frozenset[str]]
    """Slot of time → the words that may stand right before it."""
    duration_after: Pattern
    """Words right after ``duration`` that make it one: "ago"."""
    duration_terse: frozenset[str]
    """Words that may stand right before it in the care team's terse sentences: "high"."""
    quantity_never: frozenset[str]
    """Words that never stand right before any other slot."""
    numerals: Pattern
    capitals: frozenset[str]
    openers: frozenset[str]
    """Single words that may open a sentence before a comma; another is somebody's name."""
    vocabulary: dict[str, frozenset[str]]
    """Audience → the words that a sentence for it can be made of, in their plain form."""
    limits: dict[str, Limits]
    neutral_words: dict[str, str]
    """Slot → words that stand for it where reading ease and length are measured."""


def compile_words(words: Iterable[str]) -> Pattern:
    """One pattern that finds any of the words, the longest first, as whole words.

    >>> compile_words(["no", "no longer"]).findall("It is no longer so; no, not.")
    ['no longer', 'no']
    """
    return re.compile(_either(words), re.IGNORECASE)


def _either(words: Iterable[str]) -> str:
    ordered = (_quick(word) for word in sorted(words, key=len, reverse=True))
    return r"(?<![\w'’])(?:" + "|".join(ordered) + r")(?![\w])"


def initial_characters(initial: str) -> str:
    """All characters that match an ASCII letter when case is ignored.

    >>> initial_characters("h")
    'hH'
    """
    return initial.lower() + initial.upper() + _FURTHER_CASES.get(initial.lower(), "")


def _quick(word: str) -> str:
    """A word whose first letter is written as a set of characters, which ``re`` tries first.

    It then skips at once the words of a list that begin otherwise; where it must ignore the case of
    a letter, it starts to match each of them.
    """
    if _PLAIN_START.match(word):
        return f"(?-i:[{initial_characters(word[0])}]){word[1:]}"
    return word


def _grouped(groups: Mapping[str, Iterable[str]]) -> Pattern:
    """One pattern with a named group for each list of words; earlier groups win."""
    listed = ((name, list(words)) for name, words in groups.items())
    return re.compile("|".join(f"(?P<{k}>{_either(v)})" for k, v in listed if v), re.I)


@cache
def load_lexicon(locale: str) -> Lexicon:
    """The lexicon of a locale."""
    raw = tables.read_table(f"{locale}/lexicon.toml")
    return Lexicon(
        **_claim_patterns(raw),
        **_content_patterns(raw),
        **_place_patterns(raw),
        vocabulary=_vocabulary(locale),
        limits={who: Limits(**row) for who, row in raw["limits"].items()},
        neutral_words=tables.words(locale)["neutral"],
    )


def _claim_patterns(raw: Mapping[str, Any]) -> dict[str, Any]:
    topics, generic = raw["topics"], raw["generic"]
    return {
        "neutral": compile_words(raw["neutral"]),
        "breaks": _breaks(raw["breaks"]),
        "joins": compile_words(raw["joins"]),
        "signals": _signals(raw),
        "unfinished": compile_words(raw["ends"]["unfinished"]),
        "vitals": _topics(topics, topics.keys() - set(generic), {}),
        "kinds": {kind: _row(row, topics, generic) for kind, row in raw["kinds"].items()},
        "elsewhere": {where: compile_words(listed) for where, listed in raw["elsewhere"].items()},
    }


def _content_patterns(raw: Mapping[str, Any]) -> dict[str, Any]:
    context, times = raw["context"], raw["times"]
    return {
        "context": _grouped({k: context[k] for k in ("other", "rest", "asleep", "active")}),
        "context_negated": re.compile(_either(context["negated"]) + r"\s*$", re.I),
        "context_advised": compile_words(context["advised"]),
        "context_free": frozenset(context["free"]),
        "times": compile_words(times["words"]),
        "times_of_days": compile_words(times["days_words"]),
        "judged_over_days": frozenset(times["days"]),
        "durations": compile_words(raw["durations"]["words"]),
        "persisting": compile_words(raw["persisting"]["words"]),
        "doubt": compile_words(raw["doubt"]["words"]),
        "degree": compile_words(raw["degree"]["words"]),
        "forbidden": {what: compile_words(listed) for what, listed in raw["forbidden"].items()},
        "audiences": {who: compile_words(listed) for who, listed in raw["audiences"].items()},
    }


def _place_patterns(raw: Mapping[str, Any]) -> dict[str, Any]:
    places, capitals = raw["places"], raw["capitals"]
    return {
        "places": {slot: frozenset(places[slot]) for slot in TIMES},
        "duration_after": compile_words(places["duration_after"]),
        "duration_terse": frozenset(places["duration_terse"]),
        "quantity_never": frozenset(places["quantity_never"]),
        "numerals": compile_words(raw["numerals"]["words"]),
        "capitals": frozenset(capitals["words"]),
        "openers": frozenset(capitals["openers"]),
    }


def _vocabulary(locale: str) -> dict[str, frozenset[str]]:
    words = tables.read_table(f"{locale}/vocabulary.toml")
    everyday = frozenset(words["everyday"].split())
    return {"patient": everyday, "care_team": everyday | frozenset(words["care_team"].split())}


def _row(raw: Mapping[str, Any], topics: Mapping[str, list[str]], generic: list[str]) -> Row:
    own, more = frozenset(raw["topics"]), frozenset(raw.get("with", ()))
    named = {raw["topics"][0]: raw.get("named", [])}
    asserted = {
        name: raw.get(name, []) for name in ("condition", "end", "rise", "fall", "above", "below")
    }
    named_topics = (topics.keys() - set(generic)) | own | more
    reference = raw.get("reference")
    return Row(
        topics=own,
        further_topics=more,
        words=_grouped(asserted) if any(asserted.values()) else _NEVER,
        subjects=_topics(topics, named_topics, named),
        reference=compile_words(reference) if reference else None,
    )


def _topics(
    topics: Mapping[str, list[str]], which: Iterable[str], more: Mapping[str, list[str]]
) -> Pattern:
    """Subjects by topic, the longest first whatever their topic.

    A group's name is the topic and a number, because a topic has many.
    """
    entries = [
        (word, topic) for topic in sorted(which) for word in (*topics[topic], *more.get(topic, ()))
    ]
    entries.sort(key=lambda entry: -len(entry[0]))
    parts = [(word, f"(?P<{topic}__{n}>{word})") for n, (word, topic) in enumerate(entries)]
    return re.compile(r"(?<![\w'’])(?:" + "|".join(_by_initial(parts)) + r")(?![\w])", re.I)


def _by_initial(parts: list[tuple[str, str]]) -> Iterator[str]:
    """Alternatives, those that begin with one letter under that letter, in the order given.

    The order between different letters does not matter: at one place only one can match. A word
    that begins with no plain letter keeps its place, and the letters begin anew after it.
    """
    by_initial: dict[str, list[str]] = {}
    for word, part in [*parts, ("", "")]:
        if _PLAIN_START.match(word):
            by_initial.setdefault(word[0].lower(), []).append(part)
            continue
        for initial, listed in by_initial.items():
            yield f"(?=(?-i:[{initial_characters(initial)}]))(?:{'|'.join(listed)})"
        by_initial.clear()
        if part:
            yield part


def topic_of(match: re.Match[str]) -> str:
    """The topic of a match of :attr:`Row.subjects` or :attr:`Lexicon.vitals`."""
    return str(match.lastgroup).partition("__")[0]


def _breaks(words: list[str]) -> Pattern:
    """Punctuation as it is, words as whole words."""
    marks = [word for word in words if word.startswith("[")]
    return re.compile("|".join([*marks, _either(w for w in words if w not in marks)]), re.I)


def _signals(raw: Mapping[str, Any]) -> Pattern:
    return _grouped(
        {
            "end": raw["ends"]["words"],
            "span": raw["ends"]["spans"],
            "fall": raw["moves"]["below"],
            "rise": raw["moves"]["above"],
            "above": raw["states"]["above"],
            "below": raw["states"]["below"],
            "same": raw["same"],
            "after": raw["after"],
            "negator": raw["negators"],
            "lasting": raw["lasting"],
            "history": raw["history"],
            "past": raw["past"],
            "present": raw["present"],
        }
    )
