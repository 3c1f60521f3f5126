"""Dead letters kept on this machine: whoever else uses the folder, and however many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vigil.contracts import wire
from vigil.dead_letters import local_folder
from vigil.dead_letters.local_folder import FolderFullError, LocalDeadLetters
from vigil.dead_letters.publisher import DeadLetterPublisher, Published, publish_local_dead_letters
from vigil.service.errors import WireError
from vigil.service.health import Health
from vigil.service.settings import Settings

WHY = WireError("No.", code="wire.rejected")
LARGEST = 1_048_576


def dead_letter(number: int, size: int = 10) -> wire.Outgoing:
    original = wire.DeadOriginal(b"p1", b"x" * size, [], "store", WHY)
    return wire.build_dead_letter("vitals.readings", 0, number, original)


def test_a_file_that_another_process_removes_meanwhile_loses_no_letter(tmp_path: Path) -> None:
    (tmp_path / "gone.letter").symlink_to(tmp_path / "nothing")  # listed, and not there when asked
    LocalDeadLetters(tmp_path, LARGEST).keep(dead_letter(1), 5)
    assert [kept.message for kept in LocalDeadLetters(tmp_path, LARGEST).read_all()] == [
        dead_letter(1)
    ]


def test_the_folder_is_not_counted_for_each_letter_and_yet_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[Path] = []
    count = local_folder._read_sizes

    def noting(folder: Path) -> list[int]:
        counts.append(folder)
        return count(folder)

    monkeypatch.setattr(local_folder, "_read_sizes", noting)
    local, kept = LocalDeadLetters(tmp_path, LARGEST), 0
    for number in range(20):
        try:
            local.keep(dead_letter(number, 100_000), 5)
        except FolderFullError:
            continue
        kept += 1
    assert 0 < kept == local.count() < 20
    assert sum(path.stat().st_size for path in tmp_path.glob("*.letter")) <= LARGEST
    assert len(counts) <= 2
    for found in list(local.read_all())[:2]:
        local.remove(found)
    assert local.count() == kept - 2
    local.keep(dead_letter(30, 100_000), 5)


def test_what_was_kept_is_sent_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages wait while letters are sent: a full folder must not stop them for minutes."""
    settings = Settings(demo=True, deadletter_dir=tmp_path)
    local = LocalDeadLetters.from_settings(settings)
    for number in range(5):
        local.keep(dead_letter(number), 5)
    sent: list[Any] = []
    assert publish_local_dead_letters(local, sent.append, 0.0) == Published(
        sent=0, left=5, complete=False
    )
    monkeypatch.setattr("vigil.dead_letters.publisher.PUBLISH_SECONDS", 0.0)
    refused_messages = DeadLetterPublisher(sent.append, settings, Health("store"))
    refused_messages.send([dead_letter(10)])
    assert len(sent) == 1
    monkeypatch.setattr("vigil.dead_letters.publisher.PUBLISH_SECONDS", 60.0)
    refused_messages.send([dead_letter(11)])
    assert len(sent) == 7
    assert LocalDeadLetters.from_settings(settings).count() == 0
