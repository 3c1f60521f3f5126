"""The phrasebook over HTTP: read, filtered, reviewed; refused with a reason, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from dashboard.phrase_review import review as phrase_review
from dashboard.phrase_review.cards import parse_query
from dashboard.phrase_review.review import edit_revisions, next_revision
from dashboard.service import build
from store import service as store_service
from store.database.connections import connect
from tests.integration.dashboard.conftest import PASSWORD, Board, form_token, submit_login
from tests.support.messages import NOON, SIGNATURE, phrase
from tests.support.running import eventually, running, serving
from tests.support.seed import Seed
from tests.support.streaming import read_all
from tests.support.timeouts import TIMEOUT
from vigil.contracts import wire
from vigil.domain import ids
from vigil.domain.phrase import Phrase
from vigil.service.settings import Settings

PATH = "/board/phrasebook"
TEAM = "en/care_team/blood_pressure_low.below/closed/-/-/-"
DRAFT = phrase(adapter="words@sha256:12ab")
SECOND = phrase("Your heart is fast, at {heart_rate}.")
BANNED = phrase(
    "Your heart rate is raised, at {heart_rate}.", status="banned", revision=1, by="ada"
)
CLOSED = phrase("Blood pressure is no longer low.", signature=TEAM)
LATER = phrase("Nonsense {x} <b>", signature="en/patient/from_later.above/opened/-/-/x")
EDIT = "Right now your heart rate is high, at {heart_rate}."


def fields(client: httpx.Client, *phrases: str, verb: str = "approve", **more: Any) -> Any:
    csrf = form_token(client.get(PATH).text)
    return {"csrf": csrf, "verb": verb, "phrase": list(phrases), **more}


def ref(of: Phrase) -> str:
    return f"{of.phrase_id}:{of.revision}"


# ---- what a review makes, on plain values

AT = NOON + timedelta(hours=1)


def test_a_review_is_the_next_revision_by_name() -> None:
    approved = next_revision(DRAFT, "approve", by="kim", now=AT)
    assert (approved.status, approved.revision, approved.by, approved.time) == (
        "approved", 1, "kim", AT,
    )  # fmt: skip
    assert (approved.text, approved.model, approved.adapter) == (
        DRAFT.text, DRAFT.model, DRAFT.adapter,
    )  # fmt: skip
    assert next_revision(approved, "ban", by="ada", now=AT).revision == 2
    assert next_revision(BANNED, "unban", by="kim", now=AT).status == "draft"


def test_an_edit_is_a_phrase_of_its_own_and_bans_what_it_replaces() -> None:
    new, old = edit_revisions(DRAFT, EDIT, same=None, by="kim", now=AT)
    assert (new.author, new.status, new.revision, new.by) == ("person", "approved", 0, "kim")
    assert new.phrase_id == ids.phrase_id(SIGNATURE, EDIT)
    assert (new.replaces, new.model, new.prompt_hash) == (DRAFT.phrase_id, "", "")
    assert (old.phrase_id, old.status, old.revision) == (DRAFT.phrase_id, "banned", 1)
    assert edit_revisions(BANNED, EDIT, same=None, by="kim", now=AT) == [
        edit_revisions(BANNED, EDIT, same=None, by="kim", now=AT)[0]
    ]  # banned already


def test_an_edit_to_words_that_are_there_approves_those() -> None:
    new, old = edit_revisions(DRAFT, BANNED.text, same=BANNED, by="kim", now=AT)
    assert (new.phrase_id, new.status, new.revision) == (BANNED.phrase_id, "approved", 2)
    assert new.author == "model"
    assert old.status == "banned"


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "reader=everyone", "status=good", "kind=" + "x" * 99, "%00=%00"]
)
def test_an_address_that_makes_no_sense_asks_for_all(query: str) -> None:
    assert parse_query(query).query() == {}


def test_an_address_keeps_what_it_asks_for() -> None:
    asked = parse_query("reader=patient&q=fast+heart&page=3&other=1")
    assert asked.link(page=4) == "reader=patient&q=fast+heart&page=4"
    assert asked.link(page=1) == "reader=patient&q=fast+heart"


# ---- the pages; no broker answers


@pytest.fixture(scope="module", autouse=True)
def seeded(board: Board) -> None:
    many = [
        phrase(f"Your heart rate is high, {word}, at {{heart_rate}}.")
        for word in ("still", "again", "so", "too", "though")
    ]
    with board.seed() as seed:
        seed.phrases(DRAFT, SECOND, BANNED, CLOSED, LATER, *many)


@contextmanager
def page_of(board: Board, **query: Any) -> Iterator[str]:
    with board.sign_in() as client:
        answer = client.get(PATH, params=query)
        assert answer.status_code == 200
        yield answer.text


def test_a_sentence_stands_there_with_all_that_a_reviewer_asks(board: Board) -> None:
    with page_of(board) as page:
        for part in (
            "Your heart rate is high, now 118 beats a minute.",
            "Your heart rate is high, now <code>{heart_rate}</code>",
            "Patient", "Heart rate high", "scripted@test", "words@sha256:12ab", "c0ffee12",
            SIGNATURE, "Written by the model", "banned by Ada Lund", "Draft", "Banned",
            "<strong>9</strong> drafts", "<strong>1</strong> banned",
        ):  # fmt: skip
            assert part in page, part
        assert "Nonsense <code>{x}</code> &lt;b&gt;" in page  # of another version, escaped


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"reader": "care_team"}, 1),
        ({"reader": "patient"}, 9),
        ({"kind": "blood_pressure_low"}, 1),
        ({"status": "banned"}, 1),
        ({"status": "draft", "reader": "patient"}, 8),
        ({"q": "FAST"}, 1),
        ({"q": "%"}, 0),
        ({"q": "heart_rate"}, 8),  # the slot; no wildcard
        ({"status": "approved"}, 0),
        ({"kind": "nothing"}, 0),
    ],
)
def test_filters(board: Board, query: dict[str, str], count: int) -> None:
    with page_of(board, **query) as page:
        assert len(re.findall(r'<li class="card phrase', page)) == count
        assert ("No sentence is like that" in page) == (count == 0)


def test_pages(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.phrase_review.pages.PAGE_SIZE", 4)
    seen: list[str] = []
    for number in (1, 2, 3):
        with page_of(board, page=number) as page:
            seen += re.findall(r'name="phrase" value="([^":]+):\d+">\s*<button|id="n(\d)"', page)
            assert f"Page {number} of 3" in page
            assert ('rel="next"' in page) == (number < 3)
    with page_of(board, page=9) as page:
        assert "There is no such page" in page
    assert seen


def test_one_sentence_has_its_message_and_its_history(board: Board) -> None:
    with board.sign_in() as client:
        page = client.get(f"{PATH}/{BANNED.phrase_id}", params={"back": "status=banned"}).text
        for part in (
            "In its message", "118 beats a minute", "as the model wrote it", "by Ada Lund",
            "Un-ban", 'href="/board/phrasebook?status=banned"', "<code>{heart_rate}</code>",
        ):  # fmt: skip
            assert (part in page) == (part != "as the model wrote it"), part
        assert "as the model wrote it" in client.get(f"{PATH}/{DRAFT.phrase_id}").text
        later = client.get(f"{PATH}/{LATER.phrase_id}").text
        assert "It can be banned, not changed" in later
        assert client.get(f"{PATH}/nothing").status_code == 404
        assert client.get(f"{PATH}/%00").status_code == 422


def test_without_a_broker_nothing_is_recorded_and_nothing_typed_is_lost(board: Board) -> None:
    with board.sign_in() as client:
        answer = client.post(f"{PATH}/review", data=fields(client, ref(DRAFT)))
        assert answer.status_code == 503
        assert "nothing was recorded" in answer.text
        data = {**fields(client), "text": EDIT, "revision": 0}
        answer = client.post(f"{PATH}/{DRAFT.phrase_id}", data=data)
        assert answer.status_code == 503
        assert "nothing was recorded" in answer.text
        assert EDIT in answer.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Your heart rate is high.", "A required slot that is not there."),
        ("Your heart rate is low, now {heart_rate}.", "A direction that the facts do not have."),
        ("Your heart rate is high, at 130 and {heart_rate}.", "A number outside a slot"),
        ("Your heart rate is high, at {heart_rate}. Take your pills.", "Too many sentences."),
        (DRAFT.text + " ", "the same sentence"),
        ("  ", "Write a sentence first."),
        ("{heart_rate", "A brace that is no slot"),
    ],
)
def test_a_refused_edit_says_why_in_words_and_keeps_what_was_typed(
    board: Board, text: str, reason: str
) -> None:
    with board.sign_in() as client:
        data = {**fields(client), "text": text, "revision": 0}
        answer = client.post(f"{PATH}/{DRAFT.phrase_id}", data=data)
        assert answer.status_code == 422
        assert reason in answer.text
        assert text in answer.text


def test_an_edit_that_could_not_be_stored_is_refused(board: Board) -> None:
    with board.sign_in() as client:
        for text in ("\x00 {heart_rate}", "high\x85{heart_rate}", "high\x1b[2J{heart_rate}"):
            data = {**fields(client), "text": text, "revision": 0}
            answer = client.post(f"{PATH}/{DRAFT.phrase_id}", data=data)
            assert answer.status_code == 422
            assert "character" in answer.text


def test_what_was_reviewed_meanwhile_is_not_decided_again(board: Board) -> None:
    with board.sign_in() as client:
        answer = client.post(f"{PATH}/review", data=fields(client, f"{DRAFT.phrase_id}:7"))
        assert answer.status_code == 409
        assert "meanwhile" in answer.text
        data = {**fields(client), "text": EDIT, "revision": 7}
        assert client.post(f"{PATH}/{DRAFT.phrase_id}", data=data).status_code == 409
        for odd in ("nothing:0", "\x00", "a:b", ""):
            answer = client.post(f"{PATH}/review", data=fields(client, odd))
            assert answer.status_code in {404, 422}


def test_a_page_of_an_earlier_sign_in_decides_nothing(board: Board) -> None:
    with board.sign_in() as client:
        data = {**fields(client, ref(DRAFT)), "csrf": "guessed"}
        assert client.post(f"{PATH}/review", data=data).status_code == 403
        data = {"csrf": "", "text": EDIT, "revision": 0}
        answer = client.post(f"{PATH}/{DRAFT.phrase_id}", data=data)
        assert answer.status_code == 403
        assert EDIT in answer.text
    with board.client() as visitor:
        assert visitor.get(PATH).status_code == 303
        assert visitor.post(f"{PATH}/review", data=data).status_code == 401


def test_a_role_that_does_not_review_is_informed(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.phrase_review.pages.REVIEWERS", frozenset({"admin"}))
    with board.sign_in() as client:
        assert client.get(PATH).status_code == 403
        assert client.get(f"{PATH}/{DRAFT.phrase_id}").status_code == 403
        data = {"csrf": form_token(client.get("/board/").text), "verb": "ban", "phrase": "a:0"}
        assert client.post(f"{PATH}/review", data=data).status_code == 403
        assert (
            client.post(f"{PATH}/{DRAFT.phrase_id}", data={**data, "text": "x"}).status_code == 403
        )


def test_approving_asks_the_verifier_again(board: Board) -> None:
    with board.sign_in() as client:
        answer = client.post(f"{PATH}/review", data=fields(client, ref(LATER)))
        assert answer.status_code == 422
        assert "no alert for" in answer.text
        assert "&lt;b&gt;" in answer.text


def test_an_empty_phrasebook_says_where_sentences_come_from(board: Board) -> None:
    with connect(board.settings, autocommit=True) as connection:
        connection.execute("ALTER TABLE phrases RENAME TO set_aside")
        connection.execute("CREATE TABLE phrases (LIKE set_aside INCLUDING ALL)")
        try:
            with page_of(board) as page:
                assert "There is no sentence yet" in page
        finally:
            connection.execute("DROP TABLE phrases")
            connection.execute("ALTER TABLE set_aside RENAME TO phrases")


# ---- with a broker and a store


def on_topic(settings: Settings) -> list[Phrase]:
    records = read_all(settings, "vitals.phrases")
    return [wire.decode(r.topic, r.value, r.headers) for r in records]  # type: ignore[misc]


@pytest.mark.kafka
def test_reviews_go_to_the_topic_and_come_back(settings: Settings) -> None:
    with connect(settings) as connection:
        seed = Seed(connection, datetime.now(UTC))
        seed.user("kim", PASSWORD, "care_team", "Kim Berg")
        seed.phrases(DRAFT, SECOND, CLOSED)
        seed.commit()
    part = build(settings)
    with (
        running(store_service.build(settings), settings),
        serving([part], settings) as url,
        httpx.Client(base_url=url, timeout=TIMEOUT, follow_redirects=True) as client,
    ):
        eventually(lambda: part.context.publisher.trouble is None)
        submit_login(client, "kim", PASSWORD)
        data = fields(client, ref(DRAFT), ref(SECOND), back="reader=patient", at=1)
        answer = client.post(f"{PATH}/review", data=data)
        assert "2 sentences are approved." in answer.text
        assert "does not have it yet" not in answer.text
        assert answer.url.params["reader"] == "patient"
        assert "approved by Kim Berg" in answer.text

        data = {**fields(client), "text": f" {EDIT}\n", "revision": 1}
        answer = client.post(f"{PATH}/{DRAFT.phrase_id}", data=data)
        assert "1 sentence is changed." in answer.text
        new = client.get(f"{PATH}/{ids.phrase_id(SIGNATURE, EDIT)}").text
        assert "Written by a person; approved by Kim Berg" in new
        assert DRAFT.text in new  # what it replaces

        answer = client.post(f"{PATH}/review", data=fields(client, ref(CLOSED), verb="ban"))
        assert "1 sentence is banned." in answer.text
        data = fields(client, f"{CLOSED.phrase_id}:1", verb="unban")
        assert "1 sentence is a draft again." in client.post(f"{PATH}/review", data=data).text
    reviews = [each for each in on_topic(settings) if each.by]
    reviewed = [(each.text, each.status, each.revision, each.by) for each in reviews]
    assert sorted(reviewed) == sorted(
        [
            (DRAFT.text, "approved", 1, "kim"), (SECOND.text, "approved", 1, "kim"),
            (EDIT, "approved", 0, "kim"), (DRAFT.text, "banned", 2, "kim"),
            (CLOSED.text, "banned", 1, "kim"), (CLOSED.text, "draft", 2, "kim"),
        ]
    )  # fmt: skip


@pytest.mark.kafka
def test_where_the_store_is_slow_it_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phrase_review, "CONFIRM_SECONDS", 0.2)
    with connect(settings) as connection:
        seed = Seed(connection, datetime.now(UTC))
        seed.user("kim", PASSWORD)
        seed.phrases(DRAFT)
        seed.commit()
    part = build(settings)
    with (
        serving([part], settings) as url,
        httpx.Client(base_url=url, timeout=TIMEOUT, follow_redirects=True) as client,
    ):
        eventually(lambda: part.context.publisher.trouble is None)
        submit_login(client, "kim", PASSWORD)
        answer = client.post(f"{PATH}/review", data=fields(client, ref(DRAFT)))
        assert "1 sentence is approved. The database does not have it yet" in answer.text
