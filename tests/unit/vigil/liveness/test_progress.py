"""Whether messages move, by a clock of the test's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kafka import TopicPartition
from msgspec import Struct

from vigil.kafka.committed_ends import Fetched
from vigil.liveness.progress import (
    LOADING_SECONDS,
    STARVED_SECONDS,
    STUCK_SECONDS,
    Measured,
    Progress,
)
from vigil.service.health import Health, Trouble

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ONE, TWO = TopicPartition("vitals.readings", 0), TopicPartition("vitals.readings", 1)


class Message(Struct):
    """The parts of a record that are asked for."""

    offset: int
    timestamp: int = -1
    value: bytes = b"{}"


class ManualClock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wall(self) -> datetime:
        """The moment."""
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


@pytest.fixture
def clocks() -> ManualClock:
    return ManualClock()


@pytest.fixture
def health() -> Health:
    health = Health("store")
    health.trouble("start", None)
    return health


@pytest.fixture
def progress(health: Health, clocks: ManualClock) -> Progress:
    made = Progress(health, clocks.wall, clocks.monotonic)
    health.watch("progress", made.look)
    return made


def ends(progress: Progress, reported: Mapping[TopicPartition, int], at: Any = None) -> None:
    """What the broker says, when asked, of where partitions end."""
    progress.record_measured(
        {place: Measured((at or {}).get(place, 0), end, None) for place, end in reported.items()}
    )


def stuck(progress: Progress) -> Trouble | None:
    return progress.look().troubles.get("stuck")


def test_nothing_that_waits_is_ready_however_long(progress: Progress, clocks: ManualClock) -> None:
    progress.record_measured({})
    assert progress.look().gauges == {
        "partitions": 0, "stuck_partitions": 0, "lag_messages": 0, "lag_seconds": 0.0,
    }  # fmt: skip
    progress.start_at({ONE: 5})
    assert "lag_messages" not in progress.look().gauges, "not known before it was measured"
    ends(progress, {ONE: 5})
    clocks.seconds += 3600
    assert progress.look().troubles == {}
    assert progress.look().gauges["lag_messages"] == 0


def test_a_message_that_comes_after_hours_of_rest_has_not_waited_for_hours(
    progress: Progress, clocks: ManualClock
) -> None:
    progress.start_at({ONE: 5})
    ends(progress, {ONE: 5})
    clocks.seconds += 3600
    ends(progress, {ONE: 6})
    assert stuck(progress) is None
    clocks.seconds += STUCK_SECONDS - 0.1
    assert stuck(progress) is None
    clocks.seconds += 0.2
    reported = stuck(progress)
    assert reported == Trouble(
        "vitals.readings/0 is stuck at offset 5 since 2026-11-21T13:00:00Z: the broker gives none"
        " of the messages that wait there.",
        NOON + timedelta(hours=1),
    )
    gauges = progress.look().gauges
    assert (gauges["lag_messages"], gauges["stuck_partitions"]) == (1, 1)
    assert gauges["lag_seconds"] == pytest.approx(STUCK_SECONDS + 0.1)


def test_a_handler_that_does_not_return_is_seen_without_the_loop(
    progress: Progress, clocks: ManualClock, health: Health
) -> None:
    progress.start_at({ONE: 5, TWO: 0})
    ends(progress, {ONE: 5, TWO: 0})
    written = int((NOON.timestamp() - 40) * 1000)
    progress.begin_batch({ONE: [Message(5, written), Message(6, written + 9000)]})
    assert progress.look().gauges["lag_seconds"] == 40.0
    assert progress.look().gauges["lag_messages"] == 2
    clocks.seconds += STUCK_SECONDS + 1
    reported = stuck(progress)
    assert reported is not None
    assert (
        "offset 5 since 2026-11-21T12:00:00Z: the handler has not come back from 2" in reported.what
    )
    health.trouble("unavailable.database", "The database does not answer.")
    assert "12:00:00Z: The database does not answer." in str(stuck(progress))
    assert not health.ready()
    progress.mark_handled({ONE: 7})
    progress.end_batch()
    health.trouble("unavailable.database", None)
    assert health.ready()
    assert progress.look().gauges["lag_seconds"] == 0


def test_a_large_batch_in_hand_may_take_longer(progress: Progress, clocks: ManualClock) -> None:
    progress.start_at({ONE: 5})
    progress.begin_batch({ONE: [Message(5, value=bytes(10_000_000))]})
    clocks.seconds += STUCK_SECONDS + 9
    assert stuck(progress) is None
    clocks.seconds += 2
    assert stuck(progress) is not None


def test_a_worker_that_moves_is_ready_however_far_behind(
    progress: Progress, clocks: ManualClock
) -> None:
    progress.start_at({ONE: 0})
    ends(progress, {ONE: 10_000})
    for offset in range(0, 500, 100):
        written = int((clocks.wall().timestamp() - 86_400) * 1000)
        progress.begin_batch({ONE: [Message(offset + n, written) for n in range(100)]})
        clocks.seconds += STUCK_SECONDS - 1
        assert stuck(progress) is None
        assert progress.look().gauges["lag_seconds"] == pytest.approx(86_400 + STUCK_SECONDS - 1)
        progress.mark_handled({ONE: offset + 100})
        progress.end_batch()
        assert progress.look().gauges["lag_seconds"] >= 86_400, "between two batches, too"


def test_a_partition_whose_turn_has_not_come_is_given_longer(
    progress: Progress, clocks: ManualClock
) -> None:
    progress.start_at({ONE: 0, TWO: 0})
    ends(progress, {ONE: 10_000, TWO: 10})
    for offset in range(int(STARVED_SECONDS / 10)):
        assert stuck(progress) is None
        clocks.seconds += 10
        progress.mark_handled({ONE: offset + 1})
    reported = stuck(progress)
    assert reported is not None
    assert reported.what.startswith(
        "vitals.readings/1 is stuck at offset 0 since 2026-11-21T12:00:00Z"
    )


def test_going_back_to_a_checkpoint_and_failing_again_is_no_movement(
    progress: Progress, clocks: ManualClock
) -> None:
    progress.start_at({ONE: 0})
    ends(progress, {ONE: 9})
    progress.mark_handled({ONE: 5})
    for _ in range(4):
        progress.begin_batch({ONE: [Message(n) for n in range(5)]})
        progress.mark_handled({ONE: 5})
        progress.end_batch()
        progress.begin_batch({ONE: [Message(5)]})
        clocks.seconds += STUCK_SECONDS / 3
        progress.record_failure("store failed with KeyError")
        progress.end_batch()
        progress.forget([ONE])
        progress.start_at({ONE: 0})
    reported = stuck(progress)
    assert reported is not None
    assert "offset 5 since 2026-11-21T12:00:00Z: store failed with KeyError." in reported.what
    progress.mark_handled({ONE: 9})
    assert stuck(progress) is None


def test_what_is_loaded_again_is_stuck_meanwhile_and_what_another_has_is_not(
    progress: Progress, clocks: ManualClock
) -> None:
    progress.start_at({ONE: 0})
    ends(progress, {ONE: 9})
    clocks.seconds += STUCK_SECONDS
    assert stuck(progress) is not None
    progress.forget([ONE])
    clocks.seconds += LOADING_SECONDS - 0.1
    assert stuck(progress) is not None
    clocks.seconds += 0.2
    assert stuck(progress) is None


def test_another_worker_that_went_on_meanwhile_is_believed(
    progress: Progress, clocks: ManualClock
) -> None:
    progress.start_at({ONE: 0})
    ends(progress, {ONE: 9})
    progress.forget([ONE])
    assert progress.look().gauges["partitions"] == 0
    clocks.seconds += 600
    progress.start_at({ONE: 4})
    ends(progress, {ONE: 9})
    assert stuck(progress) is None


def test_offsets_without_a_message_are_no_lag(progress: Progress, clocks: ManualClock) -> None:
    progress.start_at({ONE: 0})
    progress.mark_handled({ONE: 7})
    ends(progress, {ONE: 9}, at={ONE: 9})
    clocks.seconds += 3600
    assert progress.look().gauges["lag_messages"] == 0
    assert stuck(progress) is None


def test_an_end_that_counts_the_last_batch_as_one_is_no_end(
    progress: Progress, clocks: ManualClock
) -> None:
    """Tansu's; what was fetched counts, and what is in hand."""
    progress.start_at({ONE: 0})
    progress.begin_batch({ONE: [Message(n) for n in range(5)]})
    ends(progress, {ONE: 1})
    assert progress.look().gauges["lag_messages"] == 5
    clocks.seconds += STUCK_SECONDS + 1
    assert stuck(progress) is not None


@pytest.mark.parametrize("placed_anew", [True, False])
def test_a_log_that_was_made_anew_begins_anew(
    progress: Progress, clocks: ManualClock, *, placed_anew: bool
) -> None:
    progress.start_at({ONE: 0})
    ends(progress, {ONE: 1000})
    progress.mark_handled({ONE: 1000})
    clocks.seconds += 1
    if placed_anew:
        progress.forget([ONE])
        progress.start_at({ONE: 0})
        progress.record_measured({ONE: Measured(0, 3, Fetched(3, 3, clocks.seconds))})
    else:
        progress.reset(ONE, 0)
        ends(progress, {ONE: 3})
    assert progress.look().gauges["lag_messages"] == 3
    progress.mark_handled({ONE: 3})
    clocks.seconds += 3600
    assert progress.look().gauges["lag_messages"] == 0
    assert stuck(progress) is None


def test_a_transaction_that_stays_open_is_said_and_one_that_moves_is_not(
    progress: Progress, clocks: ManualClock
) -> None:
    progress.start_at({ONE: 5})
    for end in (5, 8, 11):  # somebody writes by transactions all the time
        progress.mark_handled({ONE: end})
        progress.record_measured({ONE: Measured(end, end, Fetched(end, end + 2, clocks.seconds))})
        clocks.seconds += STUCK_SECONDS - 1
        assert progress.look().troubles == {}
    clocks.seconds += 2
    reported = progress.look().troubles["transaction"]
    assert reported.what.startswith(
        "2 offsets of vitals.readings/0 wait behind a transaction that is"
    )
    assert reported.since == NOON + timedelta(seconds=2 * (STUCK_SECONDS - 1))
    assert progress.look().gauges["lag_messages"] == 0


def test_a_loop_that_stands_still_outside_a_batch_is_said(
    progress: Progress, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress.start_at({ONE: 5})
    monkeypatch.setattr(health, "seconds_since_beat", lambda: STUCK_SECONDS + 1)
    reported = stuck(progress)
    assert reported is not None
    assert reported.what.startswith("The loop is blocked")
    assert reported.since == NOON - timedelta(seconds=STUCK_SECONDS + 1)


def test_no_more_than_three_partitions_are_named(progress: Progress, clocks: ManualClock) -> None:
    places = {TopicPartition("t", n): 0 for n in range(8)}
    progress.start_at(places)
    ends(progress, dict.fromkeys(places, 4))
    clocks.seconds += STUCK_SECONDS
    reported = stuck(progress)
    assert reported is not None
    assert reported.what.count("is stuck at") == 3
    assert "and 5 more partitions" in reported.what
    assert progress.look().gauges["stuck_partitions"] == 8
