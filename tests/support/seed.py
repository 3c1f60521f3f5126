"""Fills a database for a test or a screenshot, row by row, as the workers would have.

Everything derives from the moment and the numbers passed in: two seeds alike are equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from psycopg.types.json import Jsonb

from store.database.connections import Connection, notify_board
from store.phrases import rows as phrase_rows
from store.readings.keys import split_id
from store.workers import status_rows
from vigil.domain import ids
from vigil.domain.episode import Event, Phase
from vigil.domain.kinds import KINDS, Priority
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Context
from vigil.domain.status import Status

DEVICE = "seed-device"
Curve = Callable[[float], float]
"""Minutes before the newest reading (0 or more) → heart rate."""

TEXTS: Mapping[str, tuple[str, str, str]] = {
    "heart_rate_high": (
        "Heart rate high",
        "Heart rate has been 128 bpm for 12 minutes at rest, above the limit of 120 bpm.",
        "See the patient now. Check pulse, blood pressure and breathing by hand.",
    ),
    "heart_rate_low": (
        "Heart rate low",
        "Heart rate has been 38 bpm for 15 minutes at rest, below the limit of 40 bpm.",
        "See the patient. Ask about dizziness; check the pulse by hand.",
    ),
    "blood_pressure_high": (
        "Blood pressure high",
        "Blood pressure was 186/112 mmHg twice within 10 minutes, above the limit of 180 mmHg.",
        "Repeat the measurement on the other arm after five minutes of rest.",
    ),
    "heart_rate_unusual": (
        "Heart rate unusual for this person",
        "Heart rate has been 96 bpm for 40 minutes asleep; usual at this hour is 54 to 66 bpm.",
        "Look in on the patient at the next round.",
    ),
    "no_data": (
        "No data",
        "Nothing has come from the device for 35 minutes; it usually sends each minute.",
        "Check that the band is worn, charged and in range.",
    ),
}


SIGNAL = {"blood_pressure_high": "systolic", "blood_pressure_low": "systolic"}


def evidence(kind: str, **more: Any) -> dict[str, Any]:
    """Evidence as the detectors write it, for a heart rate above its limit."""
    base: dict[str, Any] = {
        "rule": f"{kind}_limit",
        "signal": SIGNAL.get(kind) or next(iter(KINDS[kind].signals), None),
        "direction": "below" if kind.endswith("_low") else "above",
        "values": {"heart_rate": 128.0},
        "value": 128.0,
        "extreme": 131.0,
        "limit": 120.0,
        "limit_clear": 110.0,
        "persistence_seconds": 600.0,
        "persistence_readings": 3,
        "samples": 12,
        "window_seconds": 720.0,
        "condition_delay_seconds": 600.0,
        "signal_delay_seconds": 2.0,
        "quality": 0.97,
        "baseline": {
            "median": 71.0, "spread": 4.5, "low": 57.5, "high": 84.5, "n": 812,
            "bin": "rest:day", "confidence": 0.94,
        },
        "scores": {"baseline": 6.2},
    }  # fmt: skip
    if KINDS[kind].category == "clinical":
        base |= {"readings_beyond": 12, "longest_gap_seconds": 65.0, "duration_observed": True}
    return {key: value for key, value in {**base, **more}.items() if value is not None}


@cache
def _hashed(password: str) -> str:
    """Of each password once in a process: it takes a quarter of a second."""
    from dashboard.auth.passwords import hash_password

    return hash_password(password)


class Seed:
    """Writes rows; call :meth:`commit` to make them seen and to wake the boards."""

    def __init__(self, connection: Connection, now: datetime):
        self.connection = connection
        self.now = now

    def commit(self) -> None:
        """Make everything visible, and say so to the boards."""
        notify_board(self.connection, "seed")
        self.connection.commit()

    def user(
        self, user_id: str, password: str, role: str = "care_team", display_name: str = ""
    ) -> None:
        """Someone who may sign in."""
        from store.people import users

        users.add(self.connection, user_id, _hashed(password), role, display_name)  # type: ignore[arg-type]

    def patient(
        self, patient_id: str, name: str = "", ward: str = "Ward A", *, synthetic: bool = False
    ) -> None:
        """Someone who is enrolled."""
        self.connection.execute(
            "INSERT INTO patients (patient_id, display_name, ward, synthetic)"
            " VALUES (%s, %s, %s, %s)",
            (patient_id, name, ward, synthetic),
        )

    def device(self, device_id: str, patient_id: str | None, label: str = "") -> None:
        """A device with a key that nobody has."""
        self.connection.execute(
            "INSERT INTO devices (device_id, label, key_sha256, patient_id)"
            " VALUES (%s, %s, %s, %s)",
            (device_id, label, ids.derive("key", device_id), patient_id),
        )

    def readings(
        self, patient_id: str, curve: Curve, *, minutes: int = 360, every: int = 5,
        age: timedelta = timedelta(seconds=20), delay: timedelta = timedelta(seconds=1),
        cuff_every: int = 120,
    ) -> None:  # fmt: skip
        """Heart rate along a curve, and a cuff now and then; ``latest`` is kept as well.

        Args:
            age: how long before now the newest reading came.
            delay: how long each reading was on its way.
        """
        rows = []
        for before in range(0, minutes, every):
            time = self.now - age - delay - timedelta(minutes=before)
            cuff = before % cuff_every == 0
            rate = round(curve(before), 1)
            systolic = round(118 + 9 * math.sin(before / 300) + (rate - 70) / 6) if cuff else None
            rows.append(
                (
                    patient_id, time, split_id(f"seed-{before}")[0], DEVICE, time + delay,
                    rate, systolic, systolic - 44 if systolic else None,
                    97.0 if cuff else None, "rest",
                )
            )  # fmt: skip
        columns = (
            "patient_id, time, reading_key, device_id, received_at, heart_rate, systolic,"
            " diastolic, spo2, activity"
        )
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY readings ({columns}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)
        self._latest(patient_id, rows)

    def _latest(self, patient_id: str, rows: Sequence[tuple[Any, ...]]) -> None:
        newest: dict[str, tuple[Any, ...]] = {}
        for row in rows:  # newest first
            for signal, value in zip(
                ("heart_rate", "systolic", "diastolic", "spo2"), row[5:9], strict=True
            ):
                if value is not None and signal not in newest:
                    newest[signal] = (patient_id, signal, value, row[1], row[4])
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO latest (patient_id, signal, value, time, received_at)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (patient_id, signal) DO UPDATE"
                " SET value = EXCLUDED.value, time = EXCLUDED.time,"
                " received_at = EXCLUDED.received_at",
                list(newest.values()),
            )

    def event(
        self, patient_id: str, kind: str, *, priority: Priority | None = None,
        onset: timedelta = timedelta(minutes=22), phase: Phase = "opened", sequence: int = 0,
        ended: timedelta | None = None, retrospective: bool = False, synthetic: bool = False,
        facts: Mapping[str, Any] | None = None, detected: timedelta | None = None,
        history: bool = False,
    ) -> Event:  # fmt: skip
        """One step of an episode; ``onset``, ``detected`` and ``ended`` are before now.

        Args:
            detected: when the step became known; ten minutes after the onset, if not given.
            history: whether it was past its useful time when it was published.
        """
        began = self.now - onset
        row = KINDS[kind]
        event = Event(
            episode_id=ids.episode_id(patient_id, kind, began),
            patient_id=patient_id,
            kind=kind,
            category=row.category,
            phase=phase,
            sequence=sequence,
            priority=priority or row.priority,
            onset=began,
            detected_at=began + timedelta(minutes=10) if detected is None else self.now - detected,
            ended_at=None if ended is None else self.now - ended,
            retrospective=retrospective,
            signals=row.signals,
            evidence=dict(facts) if facts is not None else evidence(kind),
            context=Context("rest"),
            detector_version="1",
            config_hash="3f9a51c2",
            synthetic=synthetic,
        )
        self.connection.execute(
            """
            INSERT INTO events (event_id, sequence, patient_id, kind, category, phase, priority,
                onset, detected_at, ended_at, retrospective, signals, evidence, context,
                detector_version, config_hash, synthetic, history)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                event.episode_id, sequence, patient_id, kind, event.category, phase, event.priority,
                began, event.detected_at, event.ended_at, retrospective, list(event.signals),
                Jsonb(event.evidence), Jsonb({"activity": "rest"}), "1", "3f9a51c2", synthetic,
                history,
            ),
        )  # fmt: skip
        return event

    def alert(
        self, event: Event, *, title: str = "", body: str = "", action: str = "",
        author: str = "template", revision: int | None = None,
    ) -> None:  # fmt: skip
        """The words of an event's step."""
        texts = TEXTS.get(event.kind, (KINDS[event.kind].label, "Seen in the data.", "Look."))
        text = {
            "title": title or texts[0], "body": body or texts[1], "action": action or texts[2]
        }  # fmt: skip
        made = {"author": author, "entry": f"{event.kind}.opened.1", "verdict": "passed"}
        if author == "model":
            made |= {"model": "smollm2-135m@b7e1", "prompt_hash": "c0ffee12"}
        self.connection.execute(
            """
            INSERT INTO alerts (alert_id, revision, event_id, patient_id, sequence, kind, category,
                phase, priority, retrospective, time, onset, texts, slots, provenance, synthetic)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                ids.alert_id(event.episode_id),
                2 * event.sequence if revision is None else revision,
                event.episode_id, event.patient_id, event.sequence, event.kind, event.category,
                event.phase, event.priority, event.retrospective, event.detected_at, event.onset,
                Jsonb({"care_team": {"en": text}, "patient": {"en": text}}), Jsonb({}),
                Jsonb({"care_team": made, "patient": made}), event.synthetic,
            ),
        )  # fmt: skip

    def episode(self, patient_id: str, kind: str, **step: Any) -> Event:
        """An event and its words."""
        event = self.event(patient_id, kind, **step)
        self.alert(event)
        return event

    def phrases(self, *phrases: Phrase) -> None:
        """Revisions of sentences of the phrasebook."""
        phrase_rows.insert(self.connection, phrases)

    def statuses(self, *statuses: Status) -> None:
        """What workers said of themselves."""
        status_rows.insert(self.connection, statuses)

    def action(
        self, event: Event, verb: str, actor: str, *, time: datetime | None = None,
        comment: str = "",
    ) -> None:  # fmt: skip
        """What somebody did; now, where no time is given, and so after what was stored before."""
        when = time or datetime.now(self.now.tzinfo)
        self.connection.execute(
            "INSERT INTO actions (action_id, event_id, patient_id, actor, verb, time, comment)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (
                ids.derive("seed", event.episode_id, actor, verb, comment, ids.timestamp(when)),
                event.episode_id, event.patient_id, actor, verb, when, comment,
            ),
        )  # fmt: skip


FIRST = (
    "Ann", "Bo", "Carla", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jun", "Kofi", "Lena",
    "Mika", "Noor", "Omar", "Pia", "Quinn", "Rosa", "Sam", "Tariq",
)  # fmt: skip
LAST = (
    "Lee",
    "Okafor",
    "Haddad",
    "Silva",
    "Novak",
    "Tanaka",
    "Murphy",
    "Rossi",
    "Kaya",
    "Singh",
)


def steady(middle: float, random: Random) -> Curve:
    """A calm heart rate."""
    phase, sway = random.random() * 6, 3 + 4 * random.random()
    noise = [random.gauss(0, 1.6) for _ in range(997)]
    return lambda before: middle + sway * math.sin(before / 70 + phase) + noise[int(before) % 997]


def rising(to: float, random: Random) -> Curve:
    """Calm until about 40 minutes ago, then high."""
    calm = steady(to - 52, random)
    return lambda before: calm(before) + 52 * max(0.0, min(1.0, (45 - before) / 18))


def busy_ward(seed: Seed, patients: int = 200, *, minutes: int = 360) -> list[Event]:
    """A ward with everything that a board can show. Deterministic."""
    random = Random(3)  # noqa: S311  (not a secret)
    events: list[Event] = []
    for number in range(patients):
        patient_id = f"p{number + 1:03d}"
        name = f"{FIRST[number % 20]} {LAST[(number * 7 + number // 20) % 10]}"
        synthetic = number % 9 == 4
        seed.patient(patient_id, name, f"Ward {'ABCD'[number % 4]}", synthetic=synthetic)
        seed.device(f"band-{number + 1:03d}", patient_id, "wrist band")
        events += _story(seed, random, number, patient_id, synthetic, minutes)
    seed.commit()
    return events


def _story(
    seed: Seed, random: Random, number: int, patient_id: str, synthetic: bool, minutes: int
) -> Iterable[Event]:
    calm = steady(58 + 24 * random.random(), random)
    hours = timedelta(hours=1)
    match number % 25:
        case 1:
            seed.readings(patient_id, rising(128, random), minutes=minutes)
            yield seed.episode(patient_id, "heart_rate_high", priority="high", synthetic=synthetic)
        case 3:
            seed.readings(patient_id, calm, minutes=minutes)
            event = seed.episode(patient_id, "blood_pressure_high", onset=1.4 * hours)
            seed.action(event, "acknowledge", "kim")
            yield event
            yield seed.episode(patient_id, "heart_rate_unusual", onset=3 * hours)
        case 6:
            seed.readings(patient_id, steady(38, random), minutes=minutes)
            yield seed.episode(patient_id, "heart_rate_low", onset=timedelta(minutes=48))
        case 9:
            seed.readings(patient_id, calm, minutes=minutes)
            yield seed.episode(patient_id, "heart_rate_unusual", onset=2 * hours)
        case 12:
            seed.readings(patient_id, calm, minutes=minutes, age=timedelta(minutes=38))
            yield seed.episode(patient_id, "no_data", onset=timedelta(minutes=37))
        case 15:
            seed.readings(patient_id, calm, minutes=minutes)
            yield seed.episode(
                patient_id, "heart_rate_high", phase="closed", onset=2 * hours, ended=hours
            )
        case 18:
            seed.readings(patient_id, calm, minutes=minutes, delay=timedelta(hours=5))
        case 21 if number < 25:
            pass  # enrolled, nothing sent yet
        case _:
            seed.readings(patient_id, calm, minutes=minutes)
