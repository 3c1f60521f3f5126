"""``vigil explain phrasebook build`` at the terminal: progress, refusals, how far it reaches."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from explain.facts.signature import Signature
    from explain.phrasebook.building import Build, Writer
    from explain.phrasebook.writing import Author
    from vigil.domain.phrase import Phrase


def build(path: Path, part: str, candidates: int, seed: int, threads: int) -> None:
    """Build a phrasebook's file; it is whole after every group, so it may be stopped at any time.

    Raises:
        UnavailableError: there is no language model, or it is not the pinned one.
        InputError: the file is there and is no phrasebook.
    """
    from explain.facts.signature import every_signature
    from explain.phrasebook.building import Build, pending_groups
    from explain.phrasebook.writing import Author

    writer = _writer(threads)
    wanted = [told for told in every_signature() if part in told.key]
    author = Author(writer.identity, writer.tuned)
    kept = _kept(path, author)
    making = Build(writer, kept, candidates, seed, moment())
    typer.echo(f"{len(wanted)} signatures, {writer.identity}{'' if writer.tuned else ', untuned'}")
    if kept:
        typer.echo(f"{len(kept)} phrases of an earlier build stay")
    _run(making, pending_groups(wanted, kept), path)
    _fill(making, wanted, path)
    _tell(making, wanted, path)


def moment() -> datetime:
    """The time that new phrases bear: now, or ``SOURCE_DATE_EPOCH``, for equal bytes each time."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else utc_now()


def _writer(threads: int) -> Writer:
    from explain.language_model.inference import LanguageModel
    from vigil.service.settings import Settings

    settings = Settings()
    if settings.llm_model:
        return LanguageModel.other(settings.llm_model, threads)
    return LanguageModel(settings.model_dir, threads=threads)


def _kept(path: Path, author: Author) -> list[Phrase]:
    from explain.phrasebook.building import kept_phrases
    from explain.phrasebook.files import read_phrases

    return kept_phrases(read_phrases(path), author) if path.exists() else []


def _run(making: Build, groups: Sequence[tuple[Signature, ...]], path: Path) -> None:
    from explain.phrasebook.files import write_phrases

    written, refused, started = 0, Counter[str](), time.monotonic()
    for number, group in enumerate(making.run(groups), 1):
        written += group.written
        refused += group.refused
        write_phrases(path, making.phrases.values())
        seconds = time.monotonic() - started
        left = seconds / number * (len(groups) - number)
        typer.echo(
            f"{number} of {len(groups)} groups: {len(group.phrases)} of {group.written} sentences"
            f" pass; {seconds:.0f} s, about {left:.0f} s left"
        )
    if not groups:
        write_phrases(path, making.phrases.values())
    passed = len(making.phrases)
    typer.echo(f"{written} sentences were written; the file holds {passed}")
    for code, count in refused.most_common():
        typer.echo(f"  refused: {code} {count}")


def _fill(making: Build, wanted: Sequence[Signature], path: Path) -> None:
    """Sentences written by hand, where the model has none that may go out."""
    from explain.phrasebook.building import reference_phrases
    from explain.phrasebook.files import write_phrases

    found = reference_phrases(wanted, making.phrases.values(), moment())
    making.phrases.update((phrase.phrase_id, phrase) for phrase in found)
    write_phrases(path, making.phrases.values())
    said = len({phrase.signature for phrase in found})
    typer.echo(f"{said} signatures are said by {len(found)} sentences written by hand")


def _tell(making: Build, wanted: Sequence[Signature], path: Path) -> None:
    from explain.phrasebook.building import measure_coverage

    phrases = making.phrases.values()
    for each in measure_coverage(wanted, phrases):
        share = each.covered / each.signatures
        typer.echo(f"{each.reader}: {each.covered} of {each.signatures} signatures, {share:.1%}")
    said = {each.signature for each in phrases if each.status != "banned"}
    for told in wanted:
        if told.key not in said:
            typer.echo(f"  none: {told.key}")
    typer.echo(f"{path}: {path.stat().st_size} bytes")
