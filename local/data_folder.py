"""What a data folder is for: a demonstration or a real system, never one after the other.

A demonstration leaves an administrator whose password is printed, a hub that may send for every
patient, and made-up patients. None of them may be in a real system, and a demonstration must not
add them to one. It marks its folder before it writes anything else there.
"""

from __future__ import annotations

from pathlib import Path

from vigil.service.errors import SettingsError

MARK = "demonstration"
"""The file that marks a demonstration's folder."""
_TEXT = "vigil demo keeps its data here; vigil up does not start on it.\n"
_HELD = (Path("postgres") / "PG_VERSION", Path("kafka") / "log", Path("deadletters"))
"""Traces of a database, a log or dead letters in a folder. A system that uses a server's database
and broker keeps dead letters alone."""


def claim_folder(folder: Path, *, demo: bool) -> None:
    """Check that a data folder is for this purpose; mark a new one for a demonstration.

    Raises:
        SettingsError: it holds data of the other purpose. Nothing was changed.
    """
    mark = folder / MARK
    if demo and not mark.exists():
        if any((folder / held).exists() for held in _HELD):
            raise SettingsError(
                f"{folder} holds data that no demonstration is known to have made.",
                code="settings.real_data",
                field="--data",
                how_to_fix="Name another folder: a demonstration would add an administrator whose"
                f" password is known. Was it one of an earlier version? Then create {mark}.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(_TEXT)
    elif not demo and mark.exists():
        raise SettingsError(
            f"{folder} holds a demonstration's data: an administrator whose password is known, and"
            " made-up patients.",
            code="settings.demo_data",
            field="--data",
            how_to_fix=f"Name another folder with --data, or remove this one first: rm -r {folder}",
        )
