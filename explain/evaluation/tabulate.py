"""Outcomes as tables, each figure next to its required value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from explain.evaluation.languages import Language
from explain.evaluation.raw import RawOutcome
from explain.evaluation.report import Table, format_share
from explain.evaluation.speed import Asking, Composing
from explain.evaluation.texts import Outcome
from explain.evaluation.verifying import Trial

WHAT = {
    "slots": "a slot missing, doubled, unknown, or different from its source",
    "numerals": "a numeral that no slot put there",
    "direction": "a direction that the facts do not have",
    "action": "an action that is not the table's",
    "urgency": "another priority, kind or phase than the event's",
    "durations": "a duration that was not observed",
    "doubted": "a value called wrong that is only doubted",
    "counts": "a number of readings that the evidence does not have",
    "forbidden": "a diagnosis, a medicine, a reassurance",
    "grade": "a patient's text above reading grade 6",
    "sentences": "more than 5 sentences",
    "words": "a sentence of more than 18 words",
}


def of_texts(outcomes: Sequence[Outcome]) -> Table:
    """Every set, worded by the tables alone and by the phrasebook: texts that fail each check."""
    rows: list[tuple[str, ...]] = []
    for check, what in WHAT.items():
        rows.append((what, "0", *(str(outcome.failed[check]) for outcome in outcomes)))
    rows.append(("hardest text, grade", "≤ 6", *(f"{o.hardest:.1f}" for o in outcomes)))
    return Table(
        title="What goes out",
        columns=("texts that have …", "must be", *(f"{o.name}, {o.source}" for o in outcomes)),
        rows=rows,
        note="Counted in the finished texts, apart from the verifier"
        f" (`explain/evaluation/checks.py`): {'; '.join(map(_size, outcomes))}.",
    )


def _size(outcome: Outcome) -> str:
    return f"{outcome.name}, {outcome.source}: {outcome.events:,} events, {outcome.texts:,} texts"


def of_fallback(outcomes: Iterable[Outcome]) -> Table:
    """How often the tables' words were used because the phrasebook had no phrase."""
    rows: list[tuple[str, ...]] = [
        (
            f"{outcome.name}, {who.replace('_', ' ')}",
            "≤ 2 %",
            format_share(outcome.fallback[who], asked),
        )
        for outcome in outcomes
        for who, asked in sorted(outcome.asked.items())
    ]
    return Table(
        title="Fallback to the tables' words",
        columns=("set, reader", "must be", "alerts"),
        rows=rows,
        note="Of alerts whose sentence on what we saw can be a phrase."
        " `VIGIL_PATIENT_TEXT=verified`; under `approved` a patient reads the tables' words until a"
        " reviewer approves a phrase.",
    )


def of_raw(outcomes: Sequence[RawOutcome]) -> Table:
    """What the model writes before anything is refused."""
    must = {"slot": "≤ 1 %", "numeral": "0", "contradiction": "≤ 0.5 %", "forbidden": "0"}
    what = {
        "slot": "slot errors (missing, doubled, unknown)",
        "numeral": "a numeral outside a slot",
        "contradiction": "direction, negation, phase or event contradicted",
        "forbidden": "diagnosis, medicine, reassurance, alarm, advice",
        "any": "refused for any reason",
    }
    rows: list[tuple[str, ...]] = [
        (text, must.get(group, ""), *(format_share(o.errors[group], o.sentences) for o in outcomes))
        for group, text in what.items()
    ]
    rows.append(
        (
            "word for word as in training",
            "",
            *(format_share(o.copied, o.sentences) for o in outcomes),
        )
    )
    rows.append(("distinct signatures", "", *(str(o.signatures) for o in outcomes)))
    return Table(
        title="The model alone",
        columns=("sentences with …", "must be", *(outcome.name for outcome in outcomes)),
        rows=rows,
        note="One greedy sentence a signature, counted as often as the set has it;"
        " the verifier judges. That no slot errs is the decoding's doing"
        " (`explain/language_model/slot_grammar.py`).",
    )


def of_speed(composing: Composing, asking: Asking | None) -> Table:
    """Alerts a second, and what a sentence of the model costs."""
    rows: list[tuple[str, ...]] = [
        ("alerts a second, one core, phrasebook", "≥ 20,000", f"{composing.per_second:,.0f}"),
        ("… with their JSON", "", f"{composing.encoded_per_second:,.0f}"),
        ("… texts worded by a phrase", "", f"{100 * composing.hits:.1f} %"),
    ]
    if asking is not None:
        rows += [
            ("an unseen signature: p95", "≤ 3 s", f"{asking.p95_seconds:.2f} s"),
            ("… median", "", f"{asking.median_seconds:.2f} s"),
            ("… longest", "", f"{asking.longest_seconds:.2f} s"),
            ("the model's process, resident", "≤ 1.2 GB", f"{asking.resident_mb:,.0f} MB"),
        ]
    return Table("Speed", ("what", "must be", "measured"), rows)


def failed(outcomes: Iterable[Outcome]) -> list[str]:
    """The first text that fails each check, to be shown."""
    return [
        f"{outcome.name}, {outcome.source}, {check}: {outcome.examples[check]}"
        for outcome in outcomes
        for check in WHAT
        if check in outcome.examples
    ]


def of_trials(trials: Sequence[Trial]) -> Table:
    """The verifier: wrong sentences caught by kind, and good ones refused."""
    kinds = sorted({kind for trial in trials for kind in trial.wrong})
    rows: list[tuple[str, ...]] = [
        (
            "good sentences refused",
            "≤ 2 %",
            *(format_share(len(t.refused), t.good) for t in trials),
        ),
        ("wrong sentences caught", "≥ 99 %", *(_caught(trial) for trial in trials)),
    ]
    for kind in kinds:
        row = (_caught(trial, kind) if kind in trial.wrong else "" for trial in trials)
        rows.append((f"… {kind.replace('_', ' ')}", "≥ 99 %", *row))
    return Table(
        title="The verifier",
        columns=("what", "must be", *(t.name for t in trials)),
        rows=rows,
        note="Sentences by hand are by people who had not read the rules. The rules were corrected"
        " with the first set. The fresh ones are the proof; two of them were corrected later:"
        " before that 10 of 160 good ones were refused and 285 of 289 wrong ones caught.",
    )


def _caught(trial: Trial, kind: str = "") -> str:
    whole = trial.wrong[kind] if kind else sum(trial.wrong.values())
    missed = trial.missed_of(kind) if kind else len(trial.missed)
    return f"{whole - missed} of {whole}"


def of_languages(found: Sequence[Language]) -> Table:
    """Every locale's texts: slots as in English, and what its own rules refuse."""
    rows: list[tuple[str, ...]] = []
    for language in found:
        codes = ", ".join(f"{code} {times}" for code, times in sorted(language.refused.items()))
        rows.append(
            (
                language.locale,
                format_share(language.unlike, language.texts),
                format_share(sum(language.refused.values()), language.texts),
                codes or "none",
            )
        )
    columns = ("locale", "other slots than English (0)", "refused by its rules (0)", "codes")
    return Table("Languages", columns, rows)
