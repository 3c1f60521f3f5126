"""What a person wants to withdraw, as the message that says so.

The detectors see nothing but the log, so the message has to hold what they need to judge again: the
readings that still count, and what was announced. Both are read here, from what is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, get_args

import msgspec

from store.database.connections import AsyncConnection
from store.database.fetching import fetch_rows
from store.queries import query
from store.readings.keys import join_id, split_id
from vigil.domain import ids
from vigil.domain.reading import Context, Measurement, RestedOn, Withdrawal, WithdrawalReason
from vigil.domain.signals import NAMES
from vigil.service.errors import InputError

REASONS: tuple[WithdrawalReason, ...] = get_args(WithdrawalReason)
MOST_WITHDRAWN = 10_000
"""Readings in one withdrawal: a week of minutes."""
MOST_REMAINING = 5_000
"""Remaining readings in it: of more, the newest."""
MOST_EPISODES = 100
LONGEST_COMMENT = 1000
"""Characters."""
BEFORE = timedelta(hours=1)
"""The stretch that is judged again begins at least so long before the first withdrawn reading …"""
BEFORE_OF = MappingProxyType(
    {
        "early_warning_score": timedelta(days=1),
        "blood_pressure_raised_over_days": timedelta(days=8),
    }
)
"""… and, of kinds that look back, so long before their onset: NEWS2 counts values of the last
hours, and an average over days leaves out the first day of a series, which begins after a week
without a reading …"""
AFTER = timedelta(hours=1)
"""… and ends at least so long after the last …"""
RECENT = timedelta(days=2)
"""… or with the newest reading, where the last withdrawn one is no older than this, or something
that rests on it goes on. Two days: a run of daily pressures may still be going on."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which readings of a patient: by their ids, by their device and time, or both."""

    patient_id: str
    reading_ids: tuple[str, ...] = ()
    """Empty: any."""
    device_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Included, as ``since`` is."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why they are withdrawn, and by whom."""

    reason: WithdrawalReason
    actor: str
    comment: str = ""


async def prepare(
    connection: AsyncConnection, chosen: Chosen, cause: Cause, now: datetime
) -> Withdrawal:
    """The withdrawal of some stored readings.

    Raises:
        InputError: the choice names no reading, one that is not stored or was withdrawn before,
            or too many.
        UnavailableError: the database does not answer.
    """
    _check(chosen, cause)
    patient_id = chosen.patient_id
    rows = await _read(connection, chosen)
    readings = [_measurement(row) for row in rows]
    await _check_found(connection, chosen, readings)
    episodes = await _rested_on(connection, patient_id, readings)
    stretch = await _stretch(connection, patient_id, readings, episodes)
    signals = {signal for one in readings for signal in one.values}
    signals.update(signal for one in episodes for signal in one.signals)
    left = await _remaining(connection, patient_id, readings, stretch, signals)
    remaining = [_measurement(row) for row in left]
    since = stretch[0]
    if len(remaining) > MOST_REMAINING:
        remaining = remaining[1:]
        since = remaining[0].time
    names = sorted(f"{ids.timestamp(one.time)} {one.reading_id}" for one in readings)
    return Withdrawal(
        withdrawal_id=ids.derive("withdrawal", patient_id, cause.reason, *names),
        patient_id=patient_id,
        readings=tuple(readings),
        reason=cause.reason,
        actor=cause.actor,
        time=now,
        comment=cause.comment,
        device_id=_only_device(rows),
        since=since,
        remaining=tuple(remaining),
        episodes=tuple(episodes),
        remaining_delays=tuple(_delay(row) for row in left[-len(remaining) :]),
    )


async def is_recorded(connection: AsyncConnection, withdrawal_id: str) -> bool:
    """Whether a withdrawal is stored: its readings count nowhere any more."""
    found = await connection.execute(
        "SELECT FROM withdrawals WHERE withdrawal_id = %s", (withdrawal_id,)
    )
    return await found.fetchone() is not None


def _check(chosen: Chosen, cause: Cause) -> None:
    if cause.reason not in REASONS:
        raise _input("It is none of the reasons.", "reason", f"Name one of {', '.join(REASONS)}.")
    if len(cause.comment) > LONGEST_COMMENT:
        raise _input("It is too long.", "comment", f"Write {LONGEST_COMMENT} characters at most.")
    if not chosen.reading_ids and chosen.device_id is None:
        raise _input(
            "Nothing is chosen.", "readings", "Name the readings, or the device that sent them."
        )
    if chosen.since and chosen.until and chosen.until < chosen.since:
        raise _input("It ends before it begins.", "until", "Name a later time.")


async def _check_found(
    connection: AsyncConnection, chosen: Chosen, found: Sequence[Measurement]
) -> None:
    """Refuse a choice of which something is not there, and report what became of it."""
    if len(found) > MOST_WITHDRAWN:
        raise _input(
            f"More than {MOST_WITHDRAWN} readings are chosen.",
            "readings",
            "Withdraw them in shorter stretches.",
            code="input.too_large",
        )
    missing = sorted(set(chosen.reading_ids) - {one.reading_id for one in found})
    if not missing and found:
        return
    values = {
        "patient": chosen.patient_id,
        "keys": [split_id(name)[0] for name in missing],
        "since": chosen.since,
        "until": chosen.until,
    }
    before = await fetch_rows(connection, query("readings/withdrawn"), values) if missing else []
    if before:
        one = before[0]
        raise InputError(
            f"{join_id(one['reading_key'], one['reading_id'])} was withdrawn already, by"
            f" {one['actor']} at {ids.timestamp(one['withdrawn_at'])} ({one['reason']}).",
            code="input.withdrawn_already",
            field="readings",
            how_to_fix="Leave it out: a reading is withdrawn once.",
        )
    named = ", ".join(missing[:_SHOWN]) if missing else "any that was chosen"
    raise InputError(
        f"No reading of {chosen.patient_id} is stored as {named}.",
        code="input.unknown_reading",
        field="readings",
        how_to_fix=f"`vigil reading list {chosen.patient_id}` shows what is stored.",
    )


def _input(message: str, field: str, how_to_fix: str, code: str = "input.wrong_type") -> InputError:
    return InputError(message, code=code, field=field, how_to_fix=how_to_fix)


async def _read(connection: AsyncConnection, chosen: Chosen) -> list[dict[str, Any]]:
    """Stored readings, the oldest first."""
    keys = [split_id(name)[0] for name in chosen.reading_ids] or None
    values = {
        "patient": chosen.patient_id,
        "keys": keys,
        "device": chosen.device_id,
        "since": chosen.since,
        "until": chosen.until,
        "limit": MOST_WITHDRAWN + 1,
    }
    return await fetch_rows(connection, query("readings/chosen"), values)


def _only_device(rows: Iterable[dict[str, Any]]) -> str | None:
    """The device that sent all of them; None: several did."""
    devices = {row["device_id"] for row in rows}
    return devices.pop() if len(devices) == 1 else None


def _measurement(row: dict[str, Any]) -> Measurement:
    values = {name: row[name] for name in sorted(NAMES) if row[name] is not None}
    context = Context(row["activity"], row["steps_per_min"], row["posture"], row["contact"])
    name = join_id(row["reading_key"], row["reading_id"])
    return Measurement(name, row["time"], values, context)


async def _rested_on(
    connection: AsyncConnection, patient_id: str, readings: Sequence[Measurement]
) -> list[RestedOn]:
    """Episodes of a withdrawn reading's signals in whose stretch it was measured."""
    values = {
        "patient": patient_id,
        "first": readings[0].time,
        "last": readings[-1].time,
        "limit": 4 * MOST_EPISODES,
    }
    rows = await fetch_rows(connection, query("readings/rested_on"), values)
    found = [msgspec.convert(row, RestedOn) for row in rows]
    return [one for one in found if _holds(one, readings)][:MOST_EPISODES]


def _holds(episode: RestedOn, readings: Iterable[Measurement]) -> bool:
    return any(
        episode.onset <= reading.time
        and (episode.known_at is None or reading.time <= episode.known_at)
        and not reading.values.keys().isdisjoint(episode.signals)
        for reading in readings
    )


async def _stretch(
    connection: AsyncConnection,
    patient_id: str,
    readings: Sequence[Measurement],
    episodes: Sequence[RestedOn],
) -> tuple[datetime, datetime | None]:
    """From and to when is judged again; None: to the newest reading."""
    first, last = readings[0].time, readings[-1].time
    begun = [one.onset - BEFORE_OF.get(one.kind, BEFORE) for one in episodes]
    since = min([first - BEFORE, *begun])
    ends = [one.ended_at for one in episodes if one.ended_at is not None]
    values = {"patient": patient_id}
    newest = await fetch_rows(connection, query("board/latest_of_patient"), values)
    recent = all(row["time"] - last <= RECENT for row in newest)
    if recent or len(ends) < len(episodes):
        return since, None
    return since, max([last, *ends]) + AFTER


async def _remaining(
    connection: AsyncConnection,
    patient_id: str,
    withdrawn: Sequence[Measurement],
    stretch: tuple[datetime, datetime | None],
    signals: Iterable[str],
) -> list[dict[str, Any]]:
    """What still counts of these signals, the oldest first; one more than fits, if there is."""
    values = {
        "patient": patient_id,
        "signals": sorted(signals),
        "keys": [split_id(reading.reading_id)[0] for reading in withdrawn],
        "since": stretch[0],
        "until": stretch[1],
        "limit": MOST_REMAINING + 1,
    }
    rows = await fetch_rows(connection, query("readings/remaining"), values)
    return rows[::-1]


def _delay(row: dict[str, Any]) -> float:
    """Seconds from the measurement to the receipt of a stored reading."""
    received, time = row["received_at"], row["time"]
    return round(float((received - time).total_seconds()), 3)
