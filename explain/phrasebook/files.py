"""Phrasebooks as files: one phrase a line, JSON, sorted. The shipped one lies in ``phrases/``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

import msgspec

from explain.facts import signature as signatures
from explain.phrasebook import book as phrasebook
from vigil.domain.encoding import encode
from vigil.domain.phrase import Phrase
from vigil.service.errors import InputError

SHIPPED = "shipped/en.jsonl"
_decoder = msgspec.json.Decoder(Phrase)


def shipped_path() -> Path:
    """The shipped phrasebook's file."""
    return Path(str(files(__package__).joinpath(SHIPPED)))


def shipped() -> tuple[Phrase, ...]:
    """The phrases that come with Vigil; the tests hold every line of them to the verifier.

    Raises:
        InputError: the file is damaged, or another version's.
    """
    path, phrases = shipped_path(), []
    for number, phrase in enumerate(read(path), 1):
        try:
            signatures.parse(phrase.signature)
        except ValueError as error:
            raise _broken(f"{path}, line {number}", str(error)) from None
        phrases.append(phrase)
    return tuple(phrases)


def read(path: Path) -> Iterator[Phrase]:
    """The phrases of a file, each of a form that can be used; what they say is not judged.

    Raises:
        InputError: naming the line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise _broken(str(path), error.strerror or str(error)) from None
    for number, line in enumerate(lines, 1):
        try:
            yield _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _broken(f"{path}, line {number}", str(error)) from None


def checked(path: Path) -> Iterator[tuple[int, Phrase, tuple[str, ...]]]:
    """Line number, phrase, and why it cannot be used, if so, for every line of a file.

    Raises:
        InputError: a line is no phrase at all.
    """
    for number, phrase in enumerate(read(path), 1):
        yield number, phrase, phrasebook.faults(phrase)


def write(path: Path, phrases: Iterable[Phrase]) -> None:
    """Replace the file whole: nobody ever reads half of it."""
    ordered = sorted(phrases, key=lambda phrase: (phrase.signature, phrase.phrase_id))
    made = path.with_suffix(path.suffix + ".new")
    made.write_bytes(b"".join(encode(phrase) + b"\n" for phrase in ordered))
    made.replace(path)


def _broken(where: str, why: str) -> InputError:
    return InputError(
        f"{where} cannot be used: {why}.",
        code="input.broken_phrasebook",
        how_to_fix="One phrase a line, as `vigil explain phrasebook build` writes;"
        " docs/schemas/phrase.v1.json says what it holds.",
    )
