"""Signing in and out: what is let in, what is turned away, and what nobody can find out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dashboard.auth.passwords import PasswordCheck, check_password, hash_password
from dashboard.auth.signin import WRONG, safe_next
from store.database.connections import connect
from tests.integration.dashboard.conftest import PASSWORD, Board, form_token, submit_login
from vigil.values.clock import utc_now


def test_passwords_are_argon2id_and_salted() -> None:
    one, two = hash_password("a long sentence"), hash_password("a long sentence")
    assert one.startswith("$argon2id$")
    assert one != two
    assert check_password(one, "a long sentence").right
    assert not check_password(one, "a long sentence ").right
    assert not check_password("not a hash", "a long sentence").right


def test_a_hash_with_older_parameters_is_renewed() -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("a long sentence")
    checked = check_password(old, "a long sentence")
    assert checked.right
    assert checked.rehashed is not None
    assert check_password(checked.rehashed, "a long sentence") == PasswordCheck(right=True)


def test_sign_in_opens_the_board_and_sign_out_closes_it(board: Board) -> None:
    with board.client() as client:
        assert client.get("/board/").headers["location"] == "/login?next=%2Fboard%2F"
        answer = submit_login(client, "Kim ", PASSWORD, "/board/patient/p1")
        assert answer.headers["location"] == "/board/patient/p1"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        token = client.cookies["vigil_session"]
        page = client.get("/board/")
        assert page.status_code == 200
        assert "Kim Berg" in page.text
        assert client.get("/login").headers["location"] == "/board/"

        assert client.post("/logout", data={"csrf": "guessed"}).status_code == 400
        assert client.get("/board/").status_code == 200
        client.post("/logout", data={"csrf": form_token(page.text)})
        client.cookies.set("vigil_session", token)
        assert client.get("/board/").status_code == 303


def test_the_database_holds_no_token_and_no_password(board: Board) -> None:
    with board.sign_in() as client, connect(board.settings) as connection:
        rows = connection.execute(
            "SELECT to_jsonb(s) || to_jsonb(u) AS all FROM sessions s, users u"
        ).fetchall()
        text = repr(rows)
        assert client.cookies["vigil_session"] not in text
        assert PASSWORD not in text


def test_cookie_is_bound_to_https_where_there_is_https() -> None:
    from dashboard.auth.session_lookup import cookie_name
    from vigil.service.settings import Settings

    settings = Settings(public_url="https://vigil.example")
    assert settings.served_over_https
    assert cookie_name(settings).startswith("__Host-")
    assert not Settings(public_url="http://127.0.0.1:8000").served_over_https


def test_unknown_user_disabled_user_and_wrong_password_answer_alike(board: Board) -> None:
    with board.seed() as seed:
        seed.user("gone", PASSWORD)
        seed.connection.execute("UPDATE users SET active = false WHERE user_id = 'gone'")
    with board.client() as client:
        answers = [
            submit_login(client, user, password)
            for user, password in (("kim", "wrong"), ("gone", PASSWORD), ("nobody", PASSWORD))
        ]
        answers.append(submit_login(client, "' OR 1=1 --", PASSWORD))
    assert [answer.status_code for answer in answers] == [401] * 4
    assert all(WRONG in answer.text for answer in answers)


def test_failures_slow_the_next_attempt_down_and_success_forgives(board: Board) -> None:
    with board.seed() as seed:
        seed.user("slow", PASSWORD)
    start = utc_now()
    with board.client() as client:
        with board.at(start):
            for _ in range(5):
                assert submit_login(client, "slow", "wrong").status_code == 401
            refused = submit_login(client, "slow", PASSWORD)
        assert refused.status_code == 429
        assert "Wait 30 seconds" in refused.text
        with board.at(start + timedelta(seconds=31)):
            assert submit_login(client, "slow", "wrong").status_code == 401
            refused = submit_login(client, "slow", PASSWORD)
            assert refused.status_code == 429
            assert "60 seconds" in refused.text
        with board.at(start + timedelta(seconds=92)):
            assert submit_login(client, "slow", PASSWORD).status_code == 303
    with board.at(start + timedelta(seconds=93)), board.client() as client:
        assert submit_login(client, "slow", "wrong").status_code == 401


def test_many_attempts_at_once_get_no_more_guesses(board: Board) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def guess(_: int) -> int:
        with board.client() as client:
            return submit_login(client, "flood", "wrong").status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(16)))
    assert answers.count(401) == 5
    assert answers.count(429) == 11


def test_the_form_is_refused_without_its_own_token(board: Board) -> None:
    data = {"user": "kim", "password": PASSWORD, "next": "/board/"}
    with board.client() as client:
        assert client.post("/login", data=data).status_code == 400
        csrf = form_token(client.get("/login").text)
    with board.client() as other:  # a token without the cookie that it belongs to
        assert other.post("/login", data={**data, "csrf": csrf}).status_code == 400
        assert "vigil_session" not in other.cookies


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/board/", "//evil.example/board/", "/\\evil.example", "board/",
        "/board/\\\\evil.example", "/board/\r\nSet-Cookie: a=b", "javascript:alert(1)", "/login",
        "", None, "/v1/readings", "/boardroom",
    ],
)  # fmt: skip
def test_next_never_leads_away(path: str | None) -> None:
    assert safe_next(path) == "/board/"


def test_next_keeps_pages_of_the_board(board: Board) -> None:
    assert safe_next("/board/?ward=Ward%20A") == "/board/?ward=Ward%20A"
    with board.client() as client:
        answer = submit_login(client, "kim", PASSWORD, "//evil.example/board/")
        assert answer.headers["location"] == "/board/"


def test_a_session_lives_while_it_is_used_and_no_longer(board: Board) -> None:
    with board.sign_in() as client:
        with board.later(timedelta(hours=11)):
            assert client.get("/board/").status_code == 200
        with board.later(timedelta(hours=22)):
            assert client.get("/board/").status_code == 200
        with board.later(timedelta(hours=35)):
            assert client.get("/board/").status_code == 303


def test_a_page_that_renews_itself_does_not_keep_a_session_alive(board: Board) -> None:
    with board.sign_in() as client:
        for hours in (5, 10):
            with board.later(timedelta(hours=hours)):
                assert client.get("/board/alive").status_code == 200
        with board.later(timedelta(hours=12, minutes=1)):
            assert client.get("/board/alive").status_code == 401


def test_a_session_ends_after_a_week_however_it_is_used(board: Board) -> None:
    with board.sign_in() as client:
        for hours in range(11, 7 * 24, 11):
            with board.later(timedelta(hours=hours)):
                assert client.get("/board/").status_code == 200
        with board.later(timedelta(hours=7 * 24 + 1)):
            assert client.get("/board/").status_code == 303


def test_a_disabled_user_is_out_at_once(board: Board) -> None:
    from store.people import users

    with board.seed() as seed:
        seed.user("leaver", PASSWORD)
    with board.sign_in("leaver") as client:
        with board.seed() as seed:
            assert users.disable(seed.connection, "leaver")
            assert not users.disable(seed.connection, "no-such-user")
        with board.later(timedelta(minutes=2)):
            assert client.get("/board/").status_code == 303
        assert submit_login(client, "leaver", PASSWORD).status_code == 401


def test_a_new_password_signs_out_everywhere(board: Board) -> None:
    with board.seed() as seed:
        seed.user("changer", PASSWORD)
    with board.sign_in("changer") as client:
        with board.seed() as seed:
            seed.user("changer", "another long sentence")
        with board.later(timedelta(minutes=2)):
            assert client.get("/board/").status_code == 303
    with board.client() as client:
        assert submit_login(client, "changer", PASSWORD).status_code == 401
