"""What the board asks the database: order, acknowledgement, what stays on it and what goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from dashboard.board.rows import render_row
from dashboard.board.snapshot import PatientSnapshot, Wards
from dashboard.live.views import Views
from dashboard.shell.context import WebContext
from store.database.connections import async_pool, connect
from store.episodes import board, evidence
from store.episodes.feed import BoardFeed
from tests.support.seed import Curve, Seed, steady
from tests.support.timeouts import TIMEOUT
from vigil.domain.kinds import Priority
from vigil.service.settings import Settings

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is there: a connection to it is waited for, however busy the machine is."""
    monkeypatch.setattr("dashboard.shell.context.UNAVAILABLE_TIMEOUT_SECONDS", TIMEOUT)


@pytest.fixture
def seed(database_url: str) -> Iterator[Seed]:
    with connect(Settings(demo=True, database_url=database_url)) as connection:
        yield Seed(connection, datetime.now(UTC))


def ward(database_url: str) -> dict[str, PatientSnapshot]:
    """Patients in the board's order."""

    async def read() -> dict[str, PatientSnapshot]:
        settings = Settings(demo=True, database_url=database_url)
        async with async_pool(settings) as pool:
            made = WebContext(settings=settings, pool=pool, feed=BoardFeed(settings))
            return {seen.patient.patient_id: seen for seen in await Wards(made).read()}

    return asyncio.run(read())


def flat(rate: float = 70.0) -> Curve:
    return lambda before: rate


def test_order_is_priority_then_what_has_waited_longest(seed: Seed, database_url: str) -> None:
    for name in ("calm", "low", "medium_new", "medium_old", "medium_seen", "high", "high_seen"):
        seed.patient(name, name.title())
    seed.episode("low", "heart_rate_unusual", onset=500 * MINUTE)
    seed.episode("medium_new", "heart_rate_high", onset=20 * MINUTE)
    seed.episode("medium_old", "heart_rate_high", onset=90 * MINUTE)
    seen = seed.episode("medium_seen", "heart_rate_high", onset=300 * MINUTE)
    seed.episode("high", "heart_rate_high", priority="high", onset=5 * MINUTE)
    seen_high = seed.episode("high_seen", "heart_rate_high", priority="high", onset=70 * MINUTE)
    seed.commit()
    seed.action(seen, "acknowledge", "kim")
    seed.action(seen_high, "acknowledge", "kim")
    seed.commit()
    assert list(ward(database_url)) == [
        "high", "high_seen", "medium_old", "medium_new", "medium_seen", "low", "calm",
    ]  # fmt: skip


def test_the_board_names_the_most_urgent_and_counts_the_rest(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    seed.episode("p1", "heart_rate_unusual", onset=300 * MINUTE)
    seed.episode("p1", "heart_rate_high", priority="high", onset=5 * MINUTE)
    acknowledged = seed.episode("p1", "blood_pressure_high", onset=100 * MINUTE)
    seed.commit()
    seed.action(acknowledged, "acknowledge", "kim")
    seed.commit()
    stands = ward(database_url)["p1"].ranking
    assert [e.kind for e in stands.episodes] == [
        "heart_rate_high", "blood_pressure_high", "heart_rate_unusual",
    ]  # fmt: skip
    assert stands.unacknowledged == 2


def test_the_words_are_those_of_the_highest_revision(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    event = seed.event("p1", "heart_rate_high")
    seed.alert(event, title="First")
    seed.alert(event, title="Reworded", revision=1, author="model")
    update = seed.event("p1", "heart_rate_high", phase="updated", sequence=1)
    assert update.episode_id == event.episode_id
    seed.commit()
    top = ward(database_url)["p1"].ranking.top
    assert top is not None
    assert top.text is not None
    assert top.text["title"] == "Reworded"
    assert top.phase == "updated"


def test_steps_that_come_twice_or_late_change_nothing(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    seed.event("p1", "heart_rate_high", phase="updated", sequence=1, priority="high")
    seed.event("p1", "heart_rate_high", sequence=0, priority="medium")
    seed.commit()
    top = ward(database_url)["p1"].ranking.top
    assert top is not None
    assert (top.phase, top.priority) == ("updated", "high")


def test_a_closed_episode_leaves_unless_nobody_saw_it(seed: Seed, database_url: str) -> None:
    closed: dict[str, dict[str, Any]] = {
        "unseen": {},
        "seen": {},
        "low": {"kind": "heart_rate_unusual"},
        "late": {"retrospective": True},
        "old": {"ended": 13 * 60 * MINUTE},
    }
    events = {}
    for name, more in closed.items():
        seed.patient(name)
        seed.readings(name, flat(), minutes=10)
        step = {"kind": "heart_rate_high", "ended": 30 * MINUTE, **more}
        events[name] = seed.episode(name, phase="closed", onset=14 * 60 * MINUTE, **step)
    seed.commit()
    seed.action(events["seen"], "acknowledge", "kim")
    seed.commit()
    shown = {name for name, one in ward(database_url).items() if one.ranking.episodes}
    assert shown == {"unseen"}


def test_an_acknowledgement_ends_when_the_priority_rises(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    event = seed.episode("p1", "heart_rate_high", priority="medium")
    seed.commit()
    seed.action(event, "acknowledge", "kim")
    seed.commit()
    assert ward(database_url)["p1"].ranking.unacknowledged == 0
    seed.event("p1", "heart_rate_high", phase="updated", sequence=1, priority="medium")
    seed.commit()
    assert ward(database_url)["p1"].ranking.unacknowledged == 0
    seed.event("p1", "heart_rate_high", phase="updated", sequence=2, priority="high")
    seed.commit()
    assert ward(database_url)["p1"].ranking.unacknowledged == 1
    seed.action(event, "acknowledge", "lee")
    seed.commit()
    top = ward(database_url)["p1"].ranking.top
    assert top is not None
    assert top.acknowledged_by == "lee"


def episode_of(database_url: str, patient_id: str = "p1") -> board.Episode:
    top = ward(database_url)[patient_id].ranking.top
    assert top is not None
    return top


@pytest.mark.parametrize("change", ["worse", "joined", "continues"])
@pytest.mark.parametrize(
    ("more", "lifts"),
    [
        ({}, True),
        ({"history": True}, False),
        ({"retrospective": True}, False),
        ({"facts": {"time_uncertain": True}}, True),
        ({"priority": "low"}, False),
    ],
    ids=["live", "history", "retrospective", "wrong clock", "low"],
)
def test_what_pages_again_lifts_the_acknowledgement_and_keeps_who_it_was(
    seed: Seed, database_url: str, change: str, more: dict[str, Any], lifts: bool
) -> None:
    seed.user("kim", "irrelevant here", display_name="Kim Berg")
    seed.patient("p1")
    step = {"priority": "medium", "onset": 300 * MINUTE, **more}
    event = seed.episode("p1", "heart_rate_high", priority=step["priority"], onset=300 * MINUTE)
    seed.action(event, "acknowledge", "kim", time=seed.now + MINUTE)
    seed.commit()
    assert episode_of(database_url).acknowledged_by == "Kim Berg"
    seed.connection.execute("UPDATE episodes SET raised_at = now() - interval '5 hours'")
    acknowledged = seed.now - 60 * MINUTE
    seed.connection.execute("UPDATE actions SET time = %s", (acknowledged,))
    facts = {"change": change, "duration_observed": True, **step.pop("facts", {})}
    seed.event(
        "p1", "heart_rate_high", phase="updated", sequence=1, facts=facts, detected=MINUTE, **step
    )
    seed.commit()
    top = episode_of(database_url)
    if lifts:
        assert not top.acknowledged
        assert (top.lifted_by, top.lifted_at) == ("Kim Berg", acknowledged)
        assert (top.raised_because, top.raised_time) == (change, seed.now - MINUTE)
        assert top.duration_observed
    else:
        assert (top.acknowledged_by, top.lifted_by) == ("Kim Berg", None)
    seed.action(event, "acknowledge", "kim")
    seed.commit()
    again = episode_of(database_url)
    assert again.acknowledged
    assert again.lifted_at is None
    lines = asyncio.run(actions_of(database_url, event.episode_id))
    assert [line.verb for line in lines] == ["acknowledge"] * 2, "both stay in its history"


async def actions_of(database_url: str, episode_id: str) -> list[evidence.StoredAction]:
    async with await psycopg.AsyncConnection.connect(
        database_url, row_factory=dict_row
    ) as connection:
        return (await evidence.actions_of_events(connection, [episode_id]))[episode_id]


def test_a_fall_keeps_the_acknowledgement_and_what_it_was(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    event = seed.episode("p1", "heart_rate_high", priority="high", onset=200 * MINUTE)
    seed.commit()
    seed.action(event, "acknowledge", "kim")
    seed.commit()
    eased = {"facts": {"change": "eased", "highest_priority": "high"}, "onset": 200 * MINUTE}
    steps: list[tuple[int, Priority]] = [(1, "medium"), (2, "low"), (3, "low")]
    for sequence, priority in steps:
        seed.event(
            "p1", "heart_rate_high", phase="updated", sequence=sequence, priority=priority,
            detected=(100 - sequence) * MINUTE, **eased,  # type: ignore[arg-type]
        )  # fmt: skip
    seed.commit()
    top = episode_of(database_url)
    assert (top.acknowledged_by, top.priority, top.highest_priority) == ("kim", "low", "high")
    assert top.has_fallen
    assert top.priority_since == seed.now - 98 * MINUTE
    seed.event(
        "p1", "heart_rate_high", phase="updated", sequence=4, priority="high", onset=200 * MINUTE,
        facts={"change": "raised"},
    )  # fmt: skip
    seed.commit()
    top = episode_of(database_url)
    assert not top.acknowledged
    assert not top.has_fallen
    assert (top.lifted_by, top.raised_because) == ("kim", "raised")


def test_what_fell_and_ended_unseen_stays_by_what_it_was(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    seed.readings("p1", flat(), minutes=10)
    seed.episode("p1", "heart_rate_high", priority="high", onset=200 * MINUTE)
    seed.event(
        "p1", "heart_rate_high", priority="low", onset=200 * MINUTE, phase="closed", sequence=1,
        ended=30 * MINUTE,
    )  # fmt: skip
    seed.commit()
    assert episode_of(database_url).highest_priority == "high"
    assert not episode_of(database_url).unobserved_end


def test_an_end_that_nobody_saw_is_known_as_such(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    seed.readings("p1", flat(), minutes=10)
    seed.event(
        "p1", "heart_rate_high", phase="closed", ended=30 * MINUTE, facts={"reason": "unobserved"}
    )
    seed.commit()
    assert episode_of(database_url).unobserved_end


DAY = timedelta(days=1)


def test_history_is_there_with_its_own_date_behind_all_that_is_live(
    seed: Seed, database_url: str
) -> None:
    crisis = {"kind": "blood_pressure_high", "priority": "high", "onset": 117 * DAY}
    for name in ("replayed", "low", "calm", "goes_on", "medium"):
        seed.patient(name)
    seed.readings("replayed", flat(), minutes=10, age=117 * DAY)
    seed.event("replayed", history=True, **crisis)  # type: ignore[arg-type]
    seed.event(
        "replayed", phase="closed", sequence=1, ended=117 * DAY, **crisis,  # type: ignore[arg-type]
    )  # fmt: skip
    seed.episode("low", "heart_rate_unusual")
    seed.episode("medium", "heart_rate_high")
    seed.event("goes_on", "heart_rate_high", onset=600 * MINUTE, history=True)
    seed.commit()
    shown = ward(database_url)
    assert list(shown) == ["medium", "goes_on", "low", "replayed", "calm"]
    past = episode_of(database_url, "replayed")
    assert past.history, "an end that comes in time makes nothing new of it"
    assert past.onset == seed.now - 117 * DAY
    assert not episode_of(database_url, "medium").history
    seed.event(
        "goes_on", "heart_rate_high", onset=600 * MINUTE, phase="updated", sequence=1,
        facts={"change": "continues"}, detected=MINUTE,
    )  # fmt: skip
    seed.commit()
    assert not episode_of(database_url, "goes_on").history


def test_a_patient_who_asks_for_help_comes_first_until_someone_answers(
    seed: Seed, database_url: str
) -> None:
    for name in ("a", "b", "c"):
        seed.patient(name)
    seed.episode("a", "heart_rate_high", priority="medium", onset=90 * MINUTE)
    low = seed.episode("b", "heart_rate_unusual")
    over = seed.episode("c", "heart_rate_unusual", phase="closed", ended=MINUTE)
    seed.commit()
    seed.action(low, "acknowledge", "kim")
    seed.action(low, "need_help", "patient")
    seed.action(over, "need_help", "patient")
    seed.commit()
    shown = ward(database_url)
    assert list(shown) == ["b", "c", "a"]
    assert shown["b"].ranking.level == "high"
    assert shown["b"].ranking.unacknowledged == 1
    seed.action(low, "acknowledge", "kim")
    seed.action(over, "acknowledge", "kim")
    seed.commit()
    shown = ward(database_url)
    assert list(shown) == ["a", "b", "c"]
    assert shown["b"].ranking.level == "low"
    assert not shown["c"].ranking.episodes


def test_a_patient_cannot_acknowledge_for_the_team(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    event = seed.episode("p1", "heart_rate_high")
    seed.commit()
    seed.action(event, "acknowledge", "patient")
    seed.commit()
    assert ward(database_url)["p1"].ranking.unacknowledged == 1


def test_removed_patients_are_not_on_the_board(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    seed.patient("p2")
    seed.connection.execute("UPDATE patients SET active = false WHERE patient_id = 'p1'")
    seed.commit()
    assert list(ward(database_url)) == ["p2"]


def test_the_sparkline_ends_with_the_newest_reading_whenever_that_was(
    seed: Seed, database_url: str
) -> None:
    seed.patient("p1")
    seed.readings("p1", lambda before: 60 + before / 10, minutes=600, age=timedelta(days=900))
    seed.commit()
    spark = ward(database_url)["p1"].spark
    assert set(spark) == set(range(board.SPARK_POINTS))
    assert spark[board.SPARK_POINTS - 1] < 61.6  # at most a quarter of an hour
    assert 60 + 33 < spark[0] < 60 + 36


def test_latest_values_come_with_both_times(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    seed.readings("p1", flat(71.4), minutes=10, delay=timedelta(hours=5))
    seed.commit()
    newest = ward(database_url)["p1"].newest
    assert newest is not None
    assert newest.received_at - newest.time == timedelta(hours=5)


def test_what_was_found_by_judging_again_is_known(seed: Seed, database_url: str) -> None:
    taken: dict[str, Any] = {"withdrawal": {"reason": "wrong_device"}}
    for name, facts in (("p1", taken), ("p2", {})):
        seed.patient(name)
        seed.event(name, "heart_rate_high", facts=facts, retrospective=True)
        seed.event(name, "heart_rate_high", phase="updated", sequence=1, retrospective=True)
    seed.patient("p3")
    seed.event("p3", "heart_rate_high")
    seed.event("p3", "heart_rate_high", facts=taken, phase="updated", sequence=1)
    seed.commit()
    found = {name: seen.ranking.episodes[0] for name, seen in ward(database_url).items()}
    assert {name: one.judged_again for name, one in found.items()} == {
        "p1": True,
        "p2": False,
        "p3": False,
    }


def test_the_basis_of_an_episode_is_its_newest_step(seed: Seed, database_url: str) -> None:
    seed.patient("p1")
    event = seed.episode("p1", "heart_rate_high", facts={"limit": 120.0})
    seed.event("p1", "heart_rate_high", phase="updated", sequence=1, facts={"limit": 125.0})
    seed.user("kim", "irrelevant here", display_name="Kim Berg")
    seed.action(event, "comment", "kim", comment="looks fine")
    seed.commit()

    async def read() -> tuple[dict[str, evidence.Basis], dict[str, list[evidence.StoredAction]]]:
        async with await psycopg.AsyncConnection.connect(
            database_url, row_factory=dict_row
        ) as connection:
            ids = [event.episode_id]
            return await evidence.bases(connection, ids), await evidence.actions_of_events(
                connection, ids
            )

    bases, actions = asyncio.run(read())
    assert bases[event.episode_id].evidence == {"limit": 125.0}
    assert bases[event.episode_id].provenance["author"] == "template"
    assert [(d.actor, d.comment) for d in actions[event.episode_id]] == [("Kim Berg", "looks fine")]


def test_two_hundred_patients_are_read_with_as_many_questions_as_one(
    seed: Seed, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long it takes is in benchmarks/RESULTS.md."""
    asked: list[object] = []
    execute = psycopg.AsyncCursor.execute

    async def counted(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(query)
        return await execute(cursor, query, *arguments, **options)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", counted)
    random = Random(1)  # noqa: S311  (not a secret)

    def questions(patients: range) -> int:
        for number in patients:
            seed.patient(f"p{number}")
            seed.readings(f"p{number}", steady(70, random))
            seed.episode(f"p{number}", "heart_rate_high")
        seed.commit()
        seed.connection.commit()
        asked.clear()
        assert (
            len([render_row(seen, judged=True) for seen in ward(database_url).values()])
            == patients.stop
        )
        return len(asked)

    assert questions(range(1)) == questions(range(1, 200)) > 0


def test_a_patients_page_says_where_there_is_nobody(database_url: str) -> None:
    async def read() -> int:
        settings = Settings(demo=True, database_url=database_url)
        async with async_pool(settings) as pool:
            made = WebContext(settings=settings, pool=pool, feed=BoardFeed(settings))
            return len((await Views(made).patient("nobody")).fragments)

    assert asyncio.run(read()) == 0
