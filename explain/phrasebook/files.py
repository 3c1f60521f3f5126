"""Phrasebooks as files: one phrase a line, JSON, sorted. The shipped one is in ``shipped/``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

import msgspec

from explain.facts.signature import parse_signature
from explain.phrasebook.book import find_faults
from vigil.domain.encoding import encode
from vigil.domain.phrase import Phrase
from vigil.service.errors import InputError

SHIPPED = "shipped/en.jsonl"
_decoder = msgspec.json.Decoder(Phrase)


def shipped_path() -> Path:
    """The shipped phrasebook's file."""
    return Path(str(files(__package__).joinpath(SHIPPED)))


def shipped_phrases() -> tuple[Phrase, ...]:
    """The phrases that come with Vigil; the tests hold every line of them to the verifier.

    Raises:
        InputError: the file is damaged, or of another version.
    """
    path, phrases = shipped_path(), []
    for number, phrase in enumerate(read_phrases(path), 1):
        try:
            parse_signature(phrase.signature)
        except ValueError as error:
            raise _broken_file(f"{path}, line {number}", str(error)) from None
        phrases.append(phrase)
    return tuple(phrases)


def read_phrases(path: Path) -> Iterator[Phrase]:
    """The phrases of a file, decoded; their content is not judged.

    Raises:
        InputError: naming the line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise _broken_file(str(path), error.strerror or str(error)) from None
    for number, line in enumerate(lines, 1):
        try:
            yield _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _broken_file(f"{path}, line {number}", str(error)) from None


def check_phrases(path: Path) -> Iterator[tuple[int, Phrase, tuple[str, ...]]]:
    """For every line of a file: its number, the phrase, the reason codes for which it is refused.

    Raises:
        InputError: a line is not a phrase.
    """
    for number, phrase in enumerate(read_phrases(path), 1):
        yield number, phrase, find_faults(phrase)


def write_phrases(path: Path, phrases: Iterable[Phrase]) -> None:
    """Replace the file atomically."""
    ordered = sorted(phrases, key=lambda phrase: (phrase.signature, phrase.phrase_id))
    new_file = path.with_suffix(path.suffix + ".new")
    new_file.write_bytes(b"".join(encode(phrase) + b"\n" for phrase in ordered))
    new_file.replace(path)


def _broken_file(where: str, why: str) -> InputError:
    return InputError(
        f"{where} cannot be used: {why}.",
        code="input.broken_phrasebook",
        how_to_fix="One phrase a line, as `vigil explain phrasebook build` writes;"
        " docs/schemas/phrase.v1.json describes the fields.",
    )
