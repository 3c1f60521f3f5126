"""Files that a command writes."""

from __future__ import annotations

from pathlib import Path

from vigil.service.errors import InputError


def put(path: Path, content: bytes) -> None:
    """Write a file whole.

    Raises:
        InputError: the folder is not there or may not be written.
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
            how_to_fix="Name a file in a folder that is there.",
        ) from None
