"""Rewording: what the verifier passes becomes a revision; nothing else is ever seen."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from explain import rewording
from explain.compose import compose
from explain.model_process import ModelProcess
from explain.rewording import Reworder
from tests.support import scripted_model
from tests.support.running import eventually as _eventually
from tests.support.wording import event
from vigil.errors import UnavailableError
from vigil.health import Health
from vigil.model import Alert

eventually = partial(
    _eventually, seconds=40
)  # a child starts, and textstat loads, when all is busy
SCRIPT = str(Path(scripted_model.__file__))


class Desk:
    """Where revisions arrive, and what was counted."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.health = Health("explain")

    def count(self, name: str) -> int:
        counters = self.health.report()["counters"]
        assert isinstance(counters, dict)
        return int(counters.get(name, 0))

    def publish(self, alert: Alert) -> None:
        self.alerts.append(alert)


@contextmanager
def reworder(
    script: str, desk: Desk, deadline: float = 20, bound: int = 8, file: Path | None = None
) -> Iterator[Reworder]:
    command = [sys.executable, SCRIPT, script, *([str(file)] if file else [])]
    process = ModelProcess(command, load_seconds=20)
    found = Reworder(process, desk.publish, desk.health, deadline, bound)
    found.start()
    try:
        yield found
    finally:
        found.close()
    assert process.pid is None


def test_a_verified_sentence_becomes_a_revision() -> None:
    desk = Desk()
    with reworder("good", desk) as words:
        words.offer(event(sequence=2, phase="updated"))
        eventually(lambda: desk.alerts)
    (alert,) = desk.alerts
    assert alert.revision == 5
    assert alert.texts["patient"]["en"].body.startswith(
        "Your heart rate is high, now at 118 beats a minute, and has been for about 40 minutes."
    )
    provenance = alert.provenance["patient"]
    assert (provenance.author, provenance.model) == ("model", "scripted@test")
    assert len(provenance.prompt_hash) == 16
    # the same words speak to the wrong reader in the care team's text, and are refused there
    assert (
        alert.texts["care_team"] == compose(event(sequence=2, phase="updated")).texts["care_team"]
    )
    assert alert.provenance["care_team"].author == "template"
    assert desk.count("rewordings_published") == 1
    assert desk.count("rewordings_refused_audience") == 1


def test_what_the_verifier_refuses_is_counted_and_never_seen() -> None:
    desk = Desk()
    with reworder("nonsense", desk) as words:
        words.offer(event())
        eventually(lambda: desk.count("rewordings_asked") == 2)
    assert desk.alerts == []
    for code in ("numeral", "reassurance", "markup", "slot_missing"):
        assert desk.count(f"rewordings_refused_{code}") == 2


def test_a_prompt_played_back_is_refused() -> None:
    desk = Desk()
    with reworder("echo", desk) as words:
        words.offer(event())
        eventually(lambda: desk.count("rewordings_refused") == 2)
    assert desk.alerts == []


def test_history_is_not_reworded() -> None:
    desk = Desk()
    with reworder("good", desk) as words:
        words.offer(event(retrospective=True))
        words.offer(event())
        eventually(lambda: desk.alerts)
    assert desk.count("rewordings_asked") == 2
    assert len(desk.alerts) == 1


def test_offers_never_wait_and_the_queue_is_bounded() -> None:
    desk = Desk()
    with reworder("slow_load", desk, bound=3) as words:  # takes none from the queue
        started = time.monotonic()
        for number in range(50):
            words.offer(event(event_id=f"e{number}"))
        assert time.monotonic() - started < 1
        assert desk.count("rewordings_dropped") == 47


def test_the_newest_offers_are_kept() -> None:
    desk = Desk()
    process = ModelProcess([sys.executable, SCRIPT, "good"], load_seconds=20)
    words = Reworder(process, desk.publish, desk.health, 40, bound=2)
    for number in range(5):
        words.offer(event(event_id=f"e{number}"))
    words.start()
    try:
        eventually(lambda: len(desk.alerts) == 2)
    finally:
        words.close()
    assert [alert.event_id for alert in desk.alerts] == ["e3", "e4"]


def test_an_answer_beyond_the_deadline_is_dropped_and_the_model_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewording, "FIRST_PAUSE_SECONDS", 0.05)
    desk, starts = Desk(), tmp_path / "starts"
    with reworder("slow", desk, deadline=1.5, file=starts) as words:
        eventually(starts.exists)
        words.offer(event())
        eventually(lambda: desk.count("model_deadline") == 1)
        eventually(lambda: starts.read_text().count("started") == 2)
    assert desk.alerts == []


def test_what_waited_too_long_is_not_asked() -> None:
    desk = Desk()
    with reworder("good", desk, deadline=1e-9) as words:
        words.offer(event())
        eventually(lambda: desk.count("rewordings_late") == 1)
    assert desk.count("rewordings_asked") == 0


def test_a_crash_costs_one_rewording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewording, "FIRST_PAUSE_SECONDS", 0.05)
    desk = Desk()
    with reworder("crash_once", desk, file=tmp_path / "starts") as words:
        words.offer(event(event_id="e1"))
        words.offer(event(event_id="e2"))
        eventually(lambda: desk.alerts)
    assert [alert.event_id for alert in desk.alerts] == ["e2"]
    assert desk.count("model_crashed") == 1


def test_starts_pause_longer_and_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewording, "FIRST_PAUSE_SECONDS", 0.2)
    desk, starts = Desk(), tmp_path / "starts"
    with reworder("missing", desk, file=starts):
        eventually(lambda: desk.count("model_missing") >= 2)
        time.sleep(1)
    assert 2 <= starts.read_text().count("started") <= 4


def test_a_broker_that_is_away_costs_the_rewording_alone() -> None:
    class Away(Desk):
        def publish(self, alert: Alert) -> None:
            raise UnavailableError("away", code="unavailable.broker")

    desk = Away()
    with reworder("good", desk) as words:
        words.offer(event())
        eventually(lambda: desk.count("rewordings_unsent") == 1)
