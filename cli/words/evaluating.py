"""``vigil explain evaluate``: runs the trials of :mod:`explain.evaluation`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from explain.evaluation.raw import Ask
    from explain.evaluation.report import Table
    from explain.evaluation.speed import Asking
    from explain.facts.signature import Signature
    from explain.phrasebook.book import Phrasebook
    from vigil.domain.episode import Event
    from vigil.service.settings import Settings

EPISODES = 300
UNSEEN = 60
"""Number of signatures with which the model's process is timed."""
MUTATED = 520

PrintLine = Callable[[str], None]
"""Prints a line about the progress."""


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What to evaluate."""

    recordings: Sequence[Path]
    model: Settings | None
    """Settings of the language model; None: no model is evaluated."""
    blind: Path | None
    """Folder for a sheet of pairs to judge by eye; None: none is written."""


def run(options: EvaluationOptions, print_line: PrintLine) -> tuple[list[Table], list[str]]:
    """Run the trials.

    Returns:
        The report's tables, and the first text that failed each check.
    """
    from explain.evaluation import tabulate
    from explain.evaluation.events import sets
    from explain.evaluation.texts import Outcome, measure_texts

    book = _phrasebook()
    outcomes: list[Outcome] = []
    for name, events in _sets(options.recordings, print_line):
        print_line(f"{name}: {len(events)} events")
        outcomes.append(measure_texts(name, "tables", events))
        outcomes.append(measure_texts(name, "phrasebook", events, book))
    tables = [tabulate.of_texts(outcomes)]
    tables.append(tabulate.of_fallback([o for o in outcomes if o.source == "phrasebook"]))
    print_line(f"people: {sets.PEOPLE} events in {sets.VARIANTS} variants")
    tables.append(_people(book))
    print_line("the verifier")
    tables.append(_verifier())
    print_line("languages")
    tables.append(_languages())
    tables += _model(options.model, book, print_line)
    if options.blind is not None:
        from explain.evaluation.blind import make_pairs, write_sheet

        write_sheet(options.blind, make_pairs(sets.core_events(), book, sets.SEED))
        print_line(f"blind sheet in {options.blind}")
    return tables, tabulate.failed(outcomes)


def _phrasebook() -> Phrasebook:
    from explain.phrasebook.book import Phrasebook
    from explain.phrasebook.files import shipped_phrases

    return Phrasebook(shipped_phrases(), patient_text="verified")


def _sets(recordings: Sequence[Path], print_line: PrintLine) -> Iterator[tuple[str, list[Event]]]:
    from explain.evaluation.events import sets

    yield "core", list(sets.core_events())
    if recordings:
        print_line("replaying recordings")
        yield "replayed", list(replayed(recordings))
    yield "duration not observed", list(sets.unobserved_events())
    yield "latest reading within limits", list(sets.latest_events())
    yield "two events", list(sets.combined_events())
    yield "parts missing", list(sets.incomplete_events())
    yield "adversarial", list(sets.adversarial_events())


def replayed(recordings: Sequence[Path], episodes: int = EPISODES) -> Iterator[Event]:
    """Yield every step of the first episodes, equally many of each recording."""
    each = -(-episodes // len(recordings))
    taken = 0
    for path in recordings:
        steps: dict[str, list[Event]] = {}
        for event in _detected(path):
            if event.episode_id in steps or len(steps) < min(each, episodes - taken):
                steps.setdefault(event.episode_id, []).append(event)
        taken += len(steps)
        yield from chain.from_iterable(steps.values())


def _detected(path: Path) -> Iterable[Event]:
    from detectors.configuration import loading as config
    from history.offline_replay import detect
    from ingest.recordings.reader import Report, read_uploads
    from vigil.values.clock import utc_now

    uploads = read_uploads(path, report=Report(), latest=utc_now())
    return detect(uploads, config.load())


def _people(book: Phrasebook) -> Table:
    from explain.evaluation.events import sets
    from explain.evaluation.report import Table, format_share
    from explain.evaluation.texts import same_for_all

    rows: list[tuple[str, ...]] = []
    for source, phrases in (("tables", None), ("phrasebook", book)):
        events, differing = same_for_all(sets.people_events(), phrases)
        rows.append((source, "0", format_share(differing, events)))
    note = (
        f"{sets.PEOPLE} events, each of {sets.VARIANTS} people who differ in name, sex, age,"
        " origin, ward and the name of their device: texts of which a single byte differs."
    )
    return Table(
        title="The same words for everyone",
        columns=("words from", "must be", "events"),
        rows=rows,
        note=note,
    )


def _verifier() -> Table:
    from explain.evaluation import held_out, tabulate
    from explain.evaluation.events import sets
    from explain.evaluation.mutations import mutate
    from explain.evaluation.verifying import run_trial
    from explain.training.references import load_references

    every = load_references()
    step = max(1, len(every) // MUTATED)
    good = [(one.signature, one.text) for one in every[::step]][:MUTATED]
    mutated = mutate(sets.SEED, MUTATED)
    trials = [run_trial("references and their mutations", good, mutated)]
    by_hand = (
        ("by hand, known to the rules' author", held_out.good(), held_out.bad()),
        ("by hand, fresh", held_out.fresh_good(), held_out.fresh_bad()),
    )
    for name, right, wrong in by_hand:
        rows = ((one.kind, one.signature, one.text) for one in wrong)
        trials.append(run_trial(name, ((one.signature, one.text) for one in right), rows))
    return tabulate.of_trials(trials)


def _languages() -> Table:
    from explain.evaluation import tabulate
    from explain.evaluation.languages import measure_languages

    return tabulate.of_languages(measure_languages())


def _model(settings: Settings | None, book: Phrasebook, print_line: PrintLine) -> list[Table]:
    from explain.evaluation import tabulate
    from explain.evaluation.events import sets
    from explain.evaluation.speed import time_composing

    core = list(sets.core_events())
    print_line("speed")
    composing = time_composing(core, book)
    if settings is None:
        return [tabulate.of_speed(composing, None)]
    from explain.evaluation.raw import measure_raw, wanted_signatures
    from explain.training.examples import table_examples
    from explain.training.references import load_references
    from explain.training.split import split_references

    divided = split_references(load_references(), table_examples())
    known = {one.text for one in divided.train}
    ask = _load_model(settings.model_dir)
    outcomes = []
    wishes: list[tuple[str, dict[Signature, int]]] = [
        ("core grid", dict(wanted_signatures(core))),
        ("two events", dict(wanted_signatures(sets.combined_events()))),
        ("held-out references", {one.signature: 1 for one in divided.test}),
    ]
    for name, wanted in wishes:
        print_line(f"the model alone, {name}: {len(wanted)} signatures")
        outcomes.append(measure_raw(name, ask, wanted, known))
    print_line("the model's process")
    every = sorted(wishes[0][1])
    asking = _time_model(settings, every[:: max(1, len(every) // UNSEEN)])
    return [tabulate.of_raw(outcomes), tabulate.of_speed(composing, asking)]


def _load_model(folder: Path) -> Ask:
    from explain.language_model.inference import LanguageModel
    from explain.language_model.prompt import tuned_request

    model = LanguageModel(folder, threads=2)

    def ask(signatures: Sequence[Signature]) -> list[str]:
        return [texts[0] for texts in model.write_many([tuned_request(s) for s in signatures])]

    return ask


def _time_model(settings: Settings, signatures: Sequence[Signature]) -> Asking:
    """Time the model as the running system uses it: alone, one request after the other."""
    from contextlib import closing

    from explain.evaluation.speed import time_asking
    from explain.language_model.process import process_for_settings
    from explain.language_model.prompt import tuned_request

    with closing(process_for_settings(settings)) as process:
        process.start()
        prompts = [
            [{"role": "user", "content": tuned_request(signature)}] for signature in signatures
        ]
        return time_asking(
            lambda prompt: process.ask(prompt, settings.llm_deadline_seconds),
            process.pid or 0,
            prompts,
        )
