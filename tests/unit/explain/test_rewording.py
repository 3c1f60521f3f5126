"""Rewording: what the verifier passes becomes a revision; nothing else is ever seen."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from explain import rewording
from explain.language_model.process import LanguageModelProcess
from explain.language_model.prompt import prompt_digest, tuned_request
from explain.phrasebook.book import PatientText, Phrasebook, refusals
from explain.rewording import Reworder
from explain.templates.compose import compose, signatures_of
from tests.support import scripted_model
from tests.support.messages import NOON, phrase
from tests.support.running import eventually as _eventually
from tests.support.timeouts import TIMEOUT
from tests.support.wording import event
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Context
from vigil.service.errors import UnavailableError
from vigil.service.health import Health

pytestmark = pytest.mark.slow


eventually = partial(
    _eventually, seconds=40
)  # a child starts, and textstat loads, when all is busy
GOOD = scripted_model.GOOD
SCRIPT = str(Path(scripted_model.__file__))


class Desk:
    """Where revisions arrive, what was counted, and the phrasebook."""

    def __init__(self, *phrases: Phrase, patient_text: PatientText = "verified") -> None:
        self.alerts: list[Alert] = []
        self.health = Health("explain")
        self.book = Phrasebook(phrases, patient_text)
        self.find = self.book.find
        self.added: list[Phrase] = []

    def add(self, phrase: Phrase) -> None:
        self.added.append(phrase)
        self.book.add(phrase)

    def count(self, name: str) -> int:
        counters = self.health.report()["counters"]
        assert isinstance(counters, dict)
        return int(counters.get(name, 0))

    def publish(self, alert: Alert) -> None:
        self.alerts.append(alert)


@contextmanager
def reworder(
    script: str, desk: Desk, deadline: float = TIMEOUT, bound: int = 8, file: Path | None = None
) -> Iterator[Reworder]:
    command = [sys.executable, SCRIPT, script, *([str(file)] if file else [])]
    process = LanguageModelProcess(command, load_seconds=TIMEOUT)
    found = Reworder(
        process,
        desk,
        desk.publish,
        desk.health,
        deadline_seconds=deadline,
        bound=bound,
        clock=lambda: NOON,
    )
    found.start()
    try:
        yield found
    finally:
        found.close()
    assert process.pid is None


def patients(announced: Event) -> str:
    """The key of what a patient's phrase must say of an event."""
    return signatures_of(announced)["patient"].key


def drafted(announced: Event, text: str = GOOD, **changes: Any) -> Phrase:
    return phrase(text, signature=patients(announced), **changes)


def test_a_verified_sentence_becomes_a_revision_and_a_phrase() -> None:
    desk, announced = Desk(), event(sequence=2, phase="updated")
    with reworder("good", desk) as words:
        words.offer(announced)
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
    assert alert.texts["care_team"] == compose(announced).texts["care_team"]
    assert alert.provenance["care_team"].author == "template"
    assert desk.count("rewordings_published") == 1
    assert desk.count("rewordings_refused_audience") == 2  # asked twice
    (written,) = desk.added
    assert written == drafted(announced, prompt_hash=provenance.prompt_hash)
    assert provenance.entry == written.phrase_id


def test_who_read_a_phrase_keeps_it_in_the_revision() -> None:
    announced = event()
    team = phrase(
        "High heart rate for {duration}, now {heart_rate}.",
        signature=signatures_of(announced)["care_team"].key,
    )
    desk = Desk(team)
    with reworder("good", desk) as words:
        words.offer(announced)
        eventually(lambda: desk.alerts)
    (alert,) = desk.alerts
    assert alert.provenance["care_team"].entry == team.phrase_id
    assert alert.texts["care_team"] == compose(announced, desk).texts["care_team"]
    assert desk.count("rewordings_asked") == 1


def test_two_events_of_one_signature_ask_once() -> None:
    desk = Desk()
    with reworder("good", desk) as words:
        for number in range(3):
            words.offer(event(episode_id=f"e{number}"))
        eventually(lambda: len(desk.alerts) == 3)
        words.offer(event(episode_id="e9"))  # its alert went out with the phrase already
        time.sleep(0.5)
    assert desk.count("rewordings_asked") == 3  # once for the patient, twice for the care team
    assert len(desk.added) == 1
    assert {a.provenance["patient"].entry for a in desk.alerts} == {desk.added[0].phrase_id}
    assert len(desk.alerts) == 3


@pytest.mark.parametrize("status", ["draft", "approved"])
def test_what_has_a_phrase_is_not_asked(status: Any) -> None:
    announced = event()
    team = signatures_of(announced)["care_team"].key
    desk = Desk(drafted(announced, status=status), phrase("Any {duration}.", signature=team))
    with reworder("good", desk) as words:
        words.offer(announced)
        time.sleep(0.5)
    assert desk.count("rewordings_asked") == 0


def test_a_patient_reads_no_draft_where_reviewers_decide() -> None:
    desk = Desk(patient_text="approved")
    with reworder("good", desk) as words:
        words.offer(event())
        eventually(lambda: desk.count("rewordings_asked") == 3)
        eventually(lambda: desk.added)
    assert desk.alerts == []


def test_what_reviewers_banned_is_not_said_by_the_model_either() -> None:
    announced = event()
    desk = Desk(drafted(announced, status="banned", revision=1, by="kim"))
    with reworder("good", desk) as words:
        words.offer(announced)
        eventually(lambda: desk.count("rewordings_refused") == 2)
    assert desk.count("rewordings_refused_banned") == 2
    assert not desk.alerts
    assert not desk.added


def test_a_refused_answer_is_asked_for_once_more_in_other_words() -> None:
    desk = Desk()
    with reworder("good_at_last", desk) as words:
        words.offer(event())
        eventually(lambda: desk.alerts)
    assert desk.count("rewordings_refused_slot_missing") == 2
    assert desk.added[0].text == GOOD


def test_the_tables_own_words_join_the_phrasebook_and_need_no_revision() -> None:
    announced = event(context=Context("unknown"))
    desk = Desk()
    with reworder("table", desk) as words:
        words.offer(announced)
        eventually(lambda: desk.count("rewordings_same") == 1)
        eventually(lambda: desk.count("rewordings_asked") == 3)
    assert desk.alerts == []
    assert [each.text for each in desk.added] == [scripted_model.TABLE]


def test_what_the_verifier_refuses_is_counted_never_seen_and_not_asked_again() -> None:
    desk = Desk()
    with reworder("nonsense", desk) as words:
        words.offer(event())
        eventually(lambda: desk.count("rewordings_refused") == 2)
        words.offer(event(episode_id="another"))
        time.sleep(0.5)
    assert not desk.alerts
    assert not desk.added
    assert desk.count("rewordings_asked") == 4
    for code in ("numeral", "reassurance", "markup", "slot_missing"):
        assert desk.count(f"rewordings_refused_{code}") == 4


def test_what_says_less_stands_and_is_no_news() -> None:
    announced = event()
    wide = patients(announced).replace("/rest/", "/-/")
    desk = Desk(phrase("Your heart has been fast for {duration}, at {heart_rate}.", signature=wide))
    with reworder("nonsense", desk) as words:
        words.offer(announced)
        words.offer(event(episode_id="another"))  # waits while the first is being asked for
        eventually(lambda: desk.count("rewordings_refused") == 2)
        time.sleep(0.5)
    assert desk.alerts == []


def test_a_prompt_played_back_is_refused() -> None:
    desk = Desk()
    with reworder("echo", desk) as words:
        words.offer(event())
        eventually(lambda: desk.count("rewordings_refused") == 2)
    assert desk.alerts == []


def test_a_tuned_model_is_asked_as_it_was_taught_and_named_in_two_parts() -> None:
    desk, announced = Desk(), event(priority="low")
    with reworder("tuned", desk) as words:
        words.offer(announced)
        eventually(lambda: desk.alerts)
    (written,) = desk.added
    assert (written.model, written.adapter) == ("scripted@test", "words@1")
    asked = [{"role": "user", "content": tuned_request(signatures_of(announced)["patient"])}]
    assert written.prompt_hash == prompt_digest(asked)
    assert desk.alerts[0].provenance["patient"].model == "scripted@test+words@1"


def test_history_is_not_reworded() -> None:
    desk = Desk()
    with reworder("good", desk) as words:
        words.offer(event(retrospective=True))
        words.offer(event())
        eventually(lambda: desk.alerts)
    assert desk.count("rewordings_asked") == 3
    assert len(desk.alerts) == 1


def test_a_fault_of_ours_costs_one_rewording(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    broken = iter([True])

    def slips(*arguments: Any) -> tuple[str, ...]:
        if next(broken, False):
            raise RuntimeError("a slip")
        return refusals(*arguments)

    monkeypatch.setattr(rewording, "refusals", slips)
    with reworder("good", desk) as words:
        words.offer(event())
        words.offer(event(episode_id="e2"))
        eventually(lambda: desk.alerts)
    assert desk.count("rewordings_failed") == 1


def test_offers_never_wait_and_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, offering, wait = Desk(), threading.get_ident(), threading.Condition.wait

    def waits(condition: threading.Condition, timeout: float | None = None) -> bool:
        assert threading.get_ident() != offering, "an offer waited"
        return wait(condition, timeout)

    with reworder("slow_load", desk, bound=3) as words:  # takes none from the queue
        with monkeypatch.context() as patched:
            patched.setattr(threading.Condition, "wait", waits)
            for number in range(50):
                words.offer(event(episode_id=f"e{number}"))
        assert desk.count("rewordings_dropped") == 47


def test_the_newest_offers_are_kept() -> None:
    desk = Desk()
    process = LanguageModelProcess([sys.executable, SCRIPT, "good"], load_seconds=TIMEOUT)
    words = Reworder(process, desk, desk.publish, desk.health, deadline_seconds=40, bound=2)
    for number in range(5):
        words.offer(event(episode_id=f"e{number}"))
    words.start()
    try:
        eventually(lambda: len(desk.alerts) == 2)
    finally:
        words.close()
    assert [alert.episode_id for alert in desk.alerts] == ["e3", "e4"]


def test_an_answer_beyond_the_deadline_is_dropped_and_the_model_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewording, "FIRST_PAUSE_SECONDS", 0.05)
    desk, starts = Desk(), tmp_path / "starts"
    with reworder("slow", desk, deadline=3, file=starts) as words:
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
        words.offer(event(episode_id="e1"))
        words.offer(event(episode_id="e2"))
        eventually(lambda: desk.alerts)
    assert [alert.episode_id for alert in desk.alerts] == ["e2"]
    assert desk.count("model_crashed") == 1


def test_starts_pause_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewording, "FIRST_PAUSE_SECONDS", 0.1)
    desk, began = Desk(), time.monotonic()
    with reworder("missing", desk):
        eventually(lambda: desk.count("model_missing") >= 5)
        assert time.monotonic() - began >= 0.1 + 0.2 + 0.4 + 0.8


def test_a_broker_that_is_away_costs_the_rewording_alone() -> None:
    class UnreachableDesk(Desk):
        def publish(self, alert: Alert) -> None:
            raise UnavailableError("unavailable", code="unavailable.broker")

    desk = UnreachableDesk()
    with reworder("good", desk) as words:
        words.offer(event())
        eventually(lambda: desk.count("rewordings_unsent") == 1)
