"""``vigil explain phrasebook build``: builds a phrasebook and prints progress and coverage."""

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


def build(path: Path, *, part: str, candidates: int, seed: int, threads: int) -> None:
    """Build a phrasebook's file; it is complete after every group and can be stopped at any time.

    Args:
        path: the file.
        part: only signatures whose key contains this.
        candidates: sentences to write for a signature.
        seed: of the model's sampling.
        threads: processor threads.

    Raises:
        UnavailableError: there is no language model, or it is not the pinned one.
        InputError: the file exists and is no phrasebook.
    """
    from explain.facts.signature import every_signature
    from explain.phrasebook.building import Build, pending_groups
    from explain.phrasebook.writing import Author

    writer = _writer(threads)
    signatures = [signature for signature in every_signature() if part in signature.key]
    author = Author(writer.identity, writer.tuned)
    kept = _read_kept(path, author)
    building = Build(writer, kept, candidates=candidates, seed=seed, now=written_at())
    typer.echo(
        f"{len(signatures)} signatures, {writer.identity}{'' if writer.tuned else ', untuned'}"
    )
    if kept:
        typer.echo(f"{len(kept)} phrases of an earlier build stay")
    _write_groups(building, pending_groups(signatures, kept), path)
    _add_handwritten(building, signatures, path)
    _print_coverage(building, signatures, path)


def written_at() -> datetime:
    """The time of new phrases: now, or ``SOURCE_DATE_EPOCH`` for reproducible bytes."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else utc_now()


def _writer(threads: int) -> Writer:
    from explain.language_model.inference import LanguageModel
    from vigil.service.settings import Settings

    settings = Settings()
    if settings.llm_model:
        return LanguageModel.other(settings.llm_model, threads)
    return LanguageModel(settings.model_dir, threads=threads)


def _read_kept(path: Path, author: Author) -> list[Phrase]:
    from explain.phrasebook.building import kept_phrases
    from explain.phrasebook.files import read_phrases

    return kept_phrases(read_phrases(path), author) if path.exists() else []


def _write_groups(building: Build, groups: Sequence[tuple[Signature, ...]], path: Path) -> None:
    from explain.phrasebook.files import write_phrases

    written, refused, started = 0, Counter[str](), time.monotonic()
    for number, group in enumerate(building.run(groups), 1):
        written += group.written
        refused += group.refused
        write_phrases(path, building.phrases.values())
        seconds = time.monotonic() - started
        left = seconds / number * (len(groups) - number)
        typer.echo(
            f"{number} of {len(groups)} groups: {len(group.phrases)} of {group.written} sentences"
            f" pass; {seconds:.0f} s, about {left:.0f} s left"
        )
    if not groups:
        write_phrases(path, building.phrases.values())
    passed = len(building.phrases)
    typer.echo(f"{written} sentences were written; the file holds {passed}")
    for code, count in refused.most_common():
        typer.echo(f"  refused: {code} {count}")


def _add_handwritten(building: Build, signatures: Sequence[Signature], path: Path) -> None:
    """Add sentences written by hand where the model has none that may be used."""
    from explain.phrasebook.building import reference_phrases
    from explain.phrasebook.files import write_phrases

    found = reference_phrases(signatures, building.phrases.values(), written_at())
    building.phrases.update((phrase.phrase_id, phrase) for phrase in found)
    write_phrases(path, building.phrases.values())
    covered = len({phrase.signature for phrase in found})
    typer.echo(f"{covered} signatures are covered by {len(found)} sentences written by hand")


def _print_coverage(building: Build, signatures: Sequence[Signature], path: Path) -> None:
    from explain.phrasebook.building import measure_coverage

    phrases = building.phrases.values()
    for each in measure_coverage(signatures, phrases):
        share = each.covered / each.signatures
        typer.echo(f"{each.reader}: {each.covered} of {each.signatures} signatures, {share:.1%}")
    usable = {each.signature for each in phrases if each.status != "banned"}
    for signature in signatures:
        if signature.key not in usable:
            typer.echo(f"  none: {signature.key}")
    typer.echo(f"{path}: {path.stat().st_size} bytes")
