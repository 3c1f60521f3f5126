"""A flood of sign-ins holds up nobody who is right, locks nobody out, and learns nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from dashboard.auth import passwords, signin
from dashboard.auth.attempts import (
    FREE,
    LONGEST_SECONDS,
    MAX_REMEMBERED,
    FailureRates,
    Failures,
    network_of,
)
from dashboard.auth.passwords import BusyError, PasswordCheck, PasswordChecker
from dashboard.auth.signin import BUSY, WRONG, SignedIn, SignIn, SignInAttempt, SignInRefused
from dashboard.shell.context import WebContext
from store.database.connections import async_pool
from store.episodes.feed import BoardFeed
from store.people.sessions import Backoff
from tests.integration.dashboard.conftest import PASSWORD, Board, submit_login
from tests.support.timeouts import TIMEOUT
from vigil.values.clock import utc_now

NOW = datetime(2026, 11, 21, 6, 2, tzinfo=UTC)
T = TypeVar("T")
Work = Callable[[SignIn], Coroutine[Any, Any, T]]


def at_the_door(board: Board, work: Work[T], now: Callable[[], datetime] = utc_now) -> T:
    """Do something with a door of its own, on the board's database."""

    async def whole() -> T:
        pool = async_pool(board.settings, 4)
        await pool.open()
        feed = BoardFeed(board.settings)
        feed.listening = True
        try:
            return await work(SignIn(WebContext(board.settings, pool, feed, clock=now)))
        finally:
            await pool.close()

    return asyncio.run(whole())


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Refusals come at once, where a test is not about when they come."""
    if "paced" not in request.fixturenames:
        monkeypatch.setattr(signin, "STEP_SECONDS", 0.001)
        monkeypatch.setattr("dashboard.auth.attempts.LONGEST_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost little: how many there are is counted, or does not matter."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)


@pytest.fixture
def paced() -> None:
    """Refusals come when they do."""


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The hashes that were computed."""
    made: list[str | None] = []
    real = passwords.check_password

    def counted(password_hash: str | None, password: str) -> PasswordCheck:
        made.append(password_hash)
        return real(password_hash, password)

    monkeypatch.setattr(passwords, "check_password", counted)
    return made


# The whole way ----------------------------------------------------------------------------------


def test_a_flood_of_invented_names_holds_up_no_sign_in(board: Board, paced: None) -> None:
    del paced
    stop, status_codes = threading.Event(), []

    def flood(worker: int) -> None:
        with board.client() as client:
            number = 0
            while not stop.is_set():
                number += 1
                status_codes.append(
                    submit_login(client, f"user-{worker}-{number}", "wrong").status_code
                )

    with ThreadPoolExecutor(24) as pool:
        for worker in range(24):
            pool.submit(flood, worker)
        try:
            time.sleep(1.5)
            took = []
            for _ in range(3):
                with board.client() as client:
                    began = time.monotonic()
                    assert submit_login(client, "kim", PASSWORD).status_code == 303
                    took.append(time.monotonic() - began)
        finally:
            stop.set()
    assert set(status_codes) <= {401, 429, 503}
    assert min(took) < 3
    assert sorted(took)[1] < 8  # where 21.7 s were


def test_whoever_guesses_keeps_only_himself_out(board: Board) -> None:
    with board.seed() as seed:
        seed.user("nina", PASSWORD)

    async def work(door: SignIn) -> None:
        first = await door.attempt(SignInAttempt("nina", PASSWORD, "ward"))
        assert isinstance(first, SignedIn)
        for _ in range(12):
            await door.attempt(SignInAttempt("nina", "wrong", "attacker"))
        kept_out = await door.attempt(SignInAttempt("nina", PASSWORD, "attacker"))
        assert isinstance(kept_out, SignInRefused)
        assert (kept_out.status, kept_out.retry_after) == (429, 30)
        assert isinstance(await door.attempt(SignInAttempt("nina", PASSWORD, "ward")), SignedIn)
        # and from the attacker's own address, in the browser that she uses
        known = SignInAttempt("nina", PASSWORD, "attacker", first.browser)
        assert isinstance(await door.attempt(known), SignedIn)

    at_the_door(board, work, lambda: NOW)


def test_many_places_together_hold_an_account_up_for_a_minute_at_most(board: Board) -> None:
    with board.seed() as seed:
        seed.user("mona", PASSWORD)
        for second in range(400):
            seed.connection.execute(
                "INSERT INTO sign_in_failures VALUES ('mona', %s)",
                (NOW - timedelta(seconds=second),),
            )
    moment = [NOW]

    async def work(door: SignIn) -> None:
        refused = await door.attempt(SignInAttempt("mona", PASSWORD, "new place"))
        assert isinstance(refused, SignInRefused)
        assert (refused.status, refused.retry_after) == (429, 60)
        moment[0] += timedelta(seconds=61)
        assert isinstance(
            await door.attempt(SignInAttempt("mona", PASSWORD, "new place")), SignedIn
        )

    at_the_door(board, work, lambda: moment[0])


def test_many_places_do_not_guess_fast(board: Board) -> None:
    with board.seed() as seed:
        seed.user("petra", PASSWORD)

    async def work(door: SignIn) -> list[int]:
        answers = [await door.attempt(SignInAttempt("petra", "wrong", f"p{n}")) for n in range(70)]
        return [one.status for one in answers if isinstance(one, SignInRefused)]

    status_codes = at_the_door(board, work, lambda: NOW)
    assert status_codes == [401] * signin.ACCOUNT_RULE.free + [429] * 20
    invented = at_the_door(board, lambda door: _guesses(door, "no-such-user"), lambda: NOW)
    assert invented == status_codes


async def _guesses(door: SignIn, user: str) -> list[int]:
    answers = [await door.attempt(SignInAttempt(user, "wrong", f"p{n}")) for n in range(70)]
    return [one.status for one in answers if isinstance(one, SignInRefused)]


def test_a_known_browser_guesses_no_faster_than_any(board: Board) -> None:
    with board.seed() as seed:
        seed.user("otto", PASSWORD)

    async def work(door: SignIn) -> list[int]:
        first = await door.attempt(SignInAttempt("otto", PASSWORD, "ward"))
        assert isinstance(first, SignedIn)
        asked = SignInAttempt("otto", "wrong", "anywhere", first.browser)
        answers = [await door.attempt(replace(asked, network=f"p{n}")) for n in range(8)]
        assert isinstance(await door.attempt(SignInAttempt("otto", PASSWORD, "ward")), SignedIn)
        return [one.status for one in answers if isinstance(one, SignInRefused)]

    assert at_the_door(board, work, lambda: NOW) == [401] * 5 + [429] * 3


def test_a_new_password_forgets_browsers_and_failures(board: Board) -> None:
    with board.seed() as seed:
        seed.user("rosa", PASSWORD)

    async def before(door: SignIn) -> str:
        first = await door.attempt(SignInAttempt("rosa", PASSWORD, "ward"))
        assert isinstance(first, SignedIn)
        for _ in range(9):
            await door.attempt(SignInAttempt("rosa", "wrong", "ward"))
        with board.seed() as seed:
            seed.user("rosa", "another long sentence")
        again = await door.attempt(
            SignInAttempt("rosa", "another long sentence", "ward", first.browser)
        )
        assert isinstance(again, SignedIn)
        return again.browser

    assert at_the_door(board, before, lambda: NOW)


def test_invented_names_cost_no_hash(board: Board, checks: list[str | None]) -> None:
    async def work(door: SignIn) -> None:
        assert isinstance(await door.attempt(SignInAttempt("kim", PASSWORD, "ward")), SignedIn)
        for number in range(50):
            answer = await door.attempt(SignInAttempt(f"nobody-{number}", PASSWORD, f"p{number}"))
            assert answer == SignInRefused(WRONG, 401)

    at_the_door(board, work)
    assert len(checks) == 1


def test_the_time_of_a_refusal_reveals_nothing(
    board: Board, paced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del paced
    due: list[float] = []
    delay_of = SignIn._refusal_delay

    def noted(door: SignIn, began: float, network: str) -> float:
        delay = delay_of(door, began, network)
        due.append(time.monotonic() - began + delay)
        return delay

    monkeypatch.setattr(SignIn, "_refusal_delay", noted)
    with board.seed() as seed:
        seed.user("left", PASSWORD)
        seed.connection.execute("UPDATE users SET active = false WHERE user_id = 'left'")

    async def work(door: SignIn) -> None:
        for user in ("kim", "left", "nobody", "not a name", "kim"):
            began = time.monotonic()
            answer = await door.attempt(SignInAttempt(user, "wrong", f"from {user}"))
            took = time.monotonic() - began
            assert answer == SignInRefused(WRONG, 401)
            assert took > due[-1] - 0.02, user  # by what the clock of an event loop rounds

    at_the_door(board, work)
    assert len(due) == 5
    for seconds in due:  # on the grid, whatever was computed behind it
        steps = seconds / signin.STEP_SECONDS
        assert 0 <= steps - round(steps) < 0.1, due
        assert steps > 0.9


def test_the_answer_is_true_when_too_many_are_checked(
    board: Board, slow: tuple[threading.Event, list[str]]
) -> None:
    go_on, _ = slow

    async def work(door: SignIn) -> None:
        door._checker = PasswordChecker(at_once=1, waiting=0)
        first = asyncio.create_task(door.attempt(SignInAttempt("kim", "right", "a")))
        while door._checker._free:
            await asyncio.sleep(0.001)
        for user in ("ada", "nobody"):  # whether there is such a user or not
            assert await door.attempt(SignInAttempt(user, "right", "b")) == BUSY
        go_on.set()
        assert isinstance(await first, SignedIn)
        assert isinstance(await door.attempt(SignInAttempt("ada", "right", "b")), SignedIn)

    at_the_door(board, work)


def test_so_many_wait_and_no_more(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "MAX_ATTEMPTS", 0)

    async def work(door: SignIn) -> None:
        assert await door.attempt(SignInAttempt("kim", PASSWORD, "a")) == BUSY
        assert BUSY.status == 503
        assert isinstance(
            await door.attempt(SignInAttempt("kim", PASSWORD, "a", "some cookie")), SignedIn
        )

    at_the_door(board, work)


def test_the_browser_is_marked_and_remembered(board: Board) -> None:
    with board.client() as client:
        answer = submit_login(client, "kim", PASSWORD)
        [cookie] = [one for one in answer.headers.get_list("set-cookie") if "vigil_known" in one]
        assert "HttpOnly" in cookie
        assert "Path=/login" in cookie
        assert "SameSite=strict" in cookie


def test_a_password_typed_as_a_name_does_not_come_back(board: Board) -> None:
    with board.client() as client:
        answer = submit_login(client, PASSWORD, "x")
        assert answer.status_code == 401
        assert PASSWORD not in answer.text


# The line of checks -----------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, list[str]]]:
    """Checks that wait to be let go, and whose they were."""
    go_on, done = threading.Event(), list[str]()

    def check(password_hash: str | None, password: str) -> PasswordCheck:
        go_on.wait(TIMEOUT)
        done.append(str(password_hash))
        return PasswordCheck(password == "right")

    monkeypatch.setattr(passwords, "check_password", check)
    yield go_on, done
    go_on.set()


def test_the_most_trusted_are_checked_first_and_the_least_let_go(
    slow: tuple[threading.Event, list[str]],
) -> None:
    go_on, done = slow

    async def work() -> list[Any]:
        checker = PasswordChecker(at_once=1, waiting=3)
        names = [("running", 2), ("worst", 2), ("bad", 2), ("good", 1), ("known", 0)]
        tasks = []
        for name, rank in names:
            tasks.append(asyncio.create_task(checker.check(name, "right", rank)))
            await asyncio.sleep(0)
        assert checker.is_full(2)
        assert checker.is_full(1) is False
        go_on.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert await checker.check("after", "right") == PasswordCheck(True)
        return results

    results = asyncio.run(work())
    assert done == ["running", "known", "good", "worst", "after"]
    assert isinstance(results[2], BusyError)  # the one that came last among the worst
    assert [one for one in results if not isinstance(one, BusyError)] == [PasswordCheck(True)] * 4


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=12))
def test_no_turn_is_lost_whoever_goes(asked: list[tuple[int, bool]]) -> None:
    async def work() -> None:
        checker = PasswordChecker(at_once=2, waiting=4)
        held = [asyncio.create_task(checker._turn(0)) for _ in range(2)]
        await asyncio.gather(*held)
        tasks = []
        for rank, cancelled in asked:
            task = asyncio.create_task(checker._turn(rank))
            await asyncio.sleep(0)
            if cancelled:
                task.cancel()
            tasks.append(task)
        for _ in range(2):
            checker._next()
        waiting = set(tasks)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled() and task.exception() is None:
                    checker._next()
        assert checker._free == 2
        assert not checker._queue

    asyncio.run(work())


# What is remembered -----------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4000), max_size=60))
def test_waits_grow_end_and_are_forgiven(gaps: list[int]) -> None:
    rule, failures, now = Backoff(), Failures(), NOW
    for gap in gaps:
        now += timedelta(seconds=gap)
        again_at = failures.begin_attempt("kim", now, rule)
        assert again_at is None or now < again_at <= now + rule.longest
    assert failures.begin_attempt("kim", now + rule.longest, rule) is None  # nobody is out for ever
    assert failures.begin_attempt("ada", now, rule) is None


def test_a_flood_is_forgotten_before_memory_ends() -> None:
    failures, places = Failures(), FailureRates(lambda: 0.0)
    for number in range(MAX_REMEMBERED + 500):
        failures.begin_attempt(f"user-{number}", NOW, Backoff())
        places.record_failure(f"place-{number}")
    assert len(failures._times) == len(places._scores) == MAX_REMEMBERED


def test_a_place_that_fails_much_hears_later_and_is_forgiven(paced: None) -> None:
    del paced
    clock = [0.0]
    places = FailureRates(lambda: clock[0])
    delays = []
    for _ in range(400):
        places.record_failure("here")
        delays.append(places.delay("here"))
    assert delays[int(FREE) - 1] == 0
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_SECONDS
    clock[0] = 600
    assert places.delay("here") == 0


@given(st.ip_addresses())
def test_every_address_counts_as_something(address: Any) -> None:
    assert network_of(str(address))
    assert network_of(network_of(str(address)).partition("/")[0])


def test_what_is_no_address_counts_as_itself() -> None:
    assert network_of("") == ""
    assert network_of("a unix socket") == "a unix socket"
