"""A patient asks about a message over HTTP, as a browser without a script does."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from html import unescape

import pytest
from fastapi.testclient import TestClient

from dashboard.phone.asking import question_form
from dashboard.phone.words import EN
from explain.languages import LOCALES
from explain.questions.answers import answer
from explain.questions.table import question_table
from explain.templates.compose import compose
from store.database.connections import Connection, connect
from store.writing.writer import write
from tests.support.messages import received
from tests.support.phone_house import PhonePart, client, link_for, patient
from tests.support.wording import event
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.service.settings import Settings

REFUSED = "I can't answer that; your care team can."


class Home:
    """An enrolled phone, and a message on it."""

    def __init__(self, settings: Settings, connection: Connection, browser: TestClient):
        self.settings, self.connection, self.browser = settings, connection, browser

    def announced(self, patient_id: str = "p1", **changes: object) -> Event:
        """Store an event and its words."""
        announced = event(patient_id=patient_id, **changes)
        messages: list[Event | Alert] = [announced, compose(announced)]
        write(self.connection, [received(m, n) for n, m in enumerate(messages)])
        return announced

    def ask(self, about: Event, **fields: str) -> str:
        """Send a form; the page that comes back, its times as the text has them."""
        answered = self.browser.post(
            "/phone/questions", data={"episode_id": about.episode_id, **fields}
        )
        assert answered.status_code == 200, answered.text
        return unescape(re.sub(r"</?time[^>]*>", "", answered.text))


@pytest.fixture
def home(database_url: str) -> Iterator[Home]:
    settings = Settings(demo=True, database_url=database_url)
    with (
        connect(settings, autocommit=True) as connection,
        client(PhonePart(settings)) as browser,
    ):
        patient(connection)
        assert browser.post(f"/phone/enrol/{link_for(settings)}").status_code == 200
        yield Home(settings, connection, browser)


def test_each_button_is_answered_with_what_it_rests_on(home: Home) -> None:
    announced = home.announced()
    page = unescape(home.browser.get("/phone").text)
    for asked in question_form("en").questions:
        intent, question = asked.intent, asked.text
        assert f'<button name="intent" value="{intent}" class="slight">{question}</button>' in page
        shown = home.ask(announced, intent=intent)
        made = answer(intent, announced, "patient")
        assert made.text in shown
        assert question in shown
        for ground in made.basis:
            assert ground.label in shown
            assert ground.value in shown


def test_a_time_in_an_answer_and_its_basis_is_marked_for_the_readers_zone(home: Home) -> None:
    fields = {"episode_id": home.announced().episode_id, "intent": "when"}
    page = home.browser.post("/phone/questions", data=fields).text
    assert page.count('datetime="2026-11-21T06:02:00Z">06:02 UTC</time>') == 2
    assert "06:02 UTC" not in page.replace(">06:02 UTC<", "")
    assert "/zone.js" in page and "data-zone" in page  # noqa: PT018


def test_an_answer_about_simulated_data_says_so(home: Home) -> None:
    assert EN.simulated in home.ask(home.announced(synthetic=True), intent="why")
    real = home.announced(episode_id="0b9a7c1e-5f6e-5d5c-8e59-2f1f6f0f7a44")
    assert EN.simulated not in home.ask(real, intent="why")


def test_own_words_are_answered_or_refused_with_what_to_do(home: Home) -> None:
    announced = home.announced(priority="high")
    assert "Your usual is 58 to 75 beats a minute." in home.ask(
        announced, question="Whats my usual?"
    )
    for question in ("Am I OK?", "Can I take aspirin?", "", "<script>alert(1)</script>"):
        shown = home.ask(announced, question=question)
        assert f"{REFUSED} Call your care team now. If you have chest pain" in shown
        assert "alert(1)" not in shown


def test_what_is_typed_is_kept_nowhere(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    announced = home.announced()
    with caplog.at_level(logging.DEBUG):
        assert "zebra" not in home.ask(announced, question="does the zebra know")
    assert "zebra" not in caplog.text
    for row in home.connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        " AND table_type = 'BASE TABLE'"
    ).fetchall():
        found = home.connection.execute(
            f"SELECT count(*) AS n FROM {row['table_name']} t WHERE t::text LIKE '%zebra%'"
        ).fetchone()
        assert found is not None
        assert found["n"] == 0


def test_the_answer_is_of_the_step_that_the_message_announces(home: Home) -> None:
    """The event may have gone on while its words are not there yet."""
    announced = home.announced()
    later = event(sequence=1, phase="closed", ended_at=announced.detected_at)
    write(home.connection, [received(later, 9)])
    assert "still going on" in home.ask(announced, intent="over")
    write(home.connection, [received(compose(later), 10)])
    assert "It ended at 06:42 UTC." in home.ask(announced, intent="over")


def test_only_own_messages_can_be_asked_about(home: Home) -> None:
    patient(home.connection, "p2")
    other = home.announced("p2", episode_id="0b9a7c1e-5f6e-5d5c-8e59-2f1f6f0f7a22")
    quiet = home.announced(episode_id="0b9a7c1e-5f6e-5d5c-8e59-2f1f6f0f7a33", priority="low")
    for about in (other.episode_id, quiet.episode_id, "nothing", ""):
        refused = home.browser.post("/phone/questions", data={"episode_id": about, "intent": "why"})
        assert refused.status_code == 404
        assert "118" not in refused.text


def test_a_stranger_and_another_site_are_refused(home: Home) -> None:
    announced = home.announced()
    fields = {"episode_id": announced.episode_id, "intent": "why"}
    elsewhere = {"Origin": "https://evil.example"}
    assert home.browser.post("/phone/questions", data=fields, headers=elsewhere).status_code == 403
    assert home.browser.get("/phone/questions").status_code == 405
    home.browser.cookies.clear()
    visitor = home.browser.post("/phone/questions", data=fields)
    assert visitor.status_code == 403
    assert "118" not in visitor.text


@pytest.mark.parametrize("locale", LOCALES)
def test_each_locale_asks_and_answers_in_its_own_words(home: Home, locale: str) -> None:
    home.connection.execute("UPDATE patients SET locale = %s", (locale,))
    announced = home.announced()
    page = unescape(home.browser.get("/phone").text)
    for asked in question_form(locale).questions:
        assert asked.text in page
    shown = home.ask(announced, question=question_table("patient", locale).text("ask", "usual"))
    assert answer("usual", announced, "patient", locale).text in shown
    assert 'dir="rtl"' in shown or locale != "ar"
