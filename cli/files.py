"""Writes the output files of commands."""

from __future__ import annotations

from pathlib import Path

from vigil.service.errors import InputError


def write_file(path: Path, content: bytes) -> None:
    """Write a file completely or not at all.

    Raises:
        InputError: the folder does not exist or may not be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}.",
            code="input.wrong_type",
            field=str(path),
            how_to_fix="Name a file in an existing folder that may be written.",
        ) from None
