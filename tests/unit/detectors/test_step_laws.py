"""Laws of an episode's steps, on buffers of a cuff that come late, shuffled and in parts: it opens
once and first, its sequence rises, and nothing follows its end but a correction of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from random import Random

import pytest

from detectors.engine.engine import Engine
from tests.support.patient_logs import Log
from tests.support.vitals import HOUR, config, measured, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Activity, Measurement, Upload

PLAIN = config()
MINUTE = 60.0
PRESSURES = [(126, 80), (66, 40), (84, 50), (76, 44), (192, 122), (214, 131)]
ACTIVITIES: list[Activity] = ["unknown", "unknown", "active"]


def with_clock(uploads: Sequence[Upload], hours: float = 4.0) -> Log:
    """The uploads, and a tick each minute between and after them."""
    log: Log = []
    now = uploads[0].received_at
    for item in uploads:
        while now < item.received_at:
            log.append(now)
            now += timedelta(minutes=1)
        log.append(item)
    log += [now + timedelta(minutes=n) for n in range(int(60 * hours))]
    return log


def steps_of(log: Log) -> list[Event]:
    engine, events = Engine(PLAIN), list[Event]()
    for item in log:
        events += engine.process(item) if isinstance(item, Upload) else engine.tick(item)
    return events + engine.finish()


def broken_law(events: Iterable[Event]) -> str:
    """What is wrong with the first step that is; empty: nothing."""
    last: dict[str, Event] = {}
    for event in events:
        before = last.get(event.episode_id)
        first = before is None
        if first != (event.phase == "opened"):
            return f"{event.kind}: {'does not open first' if first else 'opens twice'}"
        if before is not None and event.sequence <= before.sequence:
            return f"{event.kind}: its sequence does not rise"
        if before is not None and before.phase == "closed" and event.phase != "closed":
            return f"{event.kind}: {event.change} after its end"
        last[event.episode_id] = event
    return ""


def pressure(clock: str, pair: tuple[int, int], pulse: int = 0, activity: Activity = "unknown") -> (
    Measurement
):  # fmt: skip
    """A pressure at ``10:23``, with a pulse where there is one."""
    hours, minutes = clock.split(":")
    values = {"systolic": float(pair[0]), "diastolic": float(pair[1])}
    if pulse:
        values["heart_rate"] = float(pulse)
    return measured(int(hours) * HOUR + int(minutes) * MINUTE, values, activity)


def received(clock: str, *items: Measurement) -> Upload:
    """An upload received at ``11:35:05``."""
    hours, minutes, second = (int(part) for part in clock.split(":"))
    return upload(*items, received=hours * HOUR + minutes * MINUTE + second)


def buffer(seed: int) -> list[Upload]:
    """Pressures of an invented cuff, sent newest first, shuffled, swapped or one of them last."""
    random = Random(seed)  # noqa: S311  (invented readings)
    time, rows = 10 * HOUR, list[Measurement]()
    for _ in range(random.randint(3, 8)):
        time += random.choice([60, 120, 600, 600, 1800, 3600])
        systolic, diastolic = random.choice(PRESSURES)
        values = {"systolic": systolic + random.randint(0, 3) + 0.0, "diastolic": diastolic + 0.0}
        if random.random() < 0.6:
            values["heart_rate"] = float(random.choice([80, 120, 150, 160, 210]))
        rows.append(measured(time, values, random.choice(ACTIVITIES)))
    order = list(rows)
    match random.choice(["newest first", "shuffled", "one last"]):
        case "newest first":
            order.reverse()
        case "shuffled":
            random.shuffle(order)
        case _:
            order.append(order.pop(random.randrange(len(order))))
    sent, uploads = time + random.choice([5.0, 60.0, 1200.0]), list[Upload]()
    while order:
        size = random.choice([1, 1, 2, 3])
        uploads.append(upload(*order[:size], received=sent))
        sent += random.choice([1.0, 10.0, 60.0, 600.0])
        del order[:size]
    return uploads


@pytest.mark.parametrize("part", range(8))
def test_of_any_buffer(part: int) -> None:
    for seed in range(100 * part, 100 * part + 100):
        assert not broken_law(steps_of(with_clock(buffer(seed)))), f"seed {seed}"


FOUND = {
    "a part whose lead is of the late readings alone": [
        received(
            "11:35:05",
            pressure("10:23", (68, 41), 210, "active"),
            pressure("10:53", (87, 52), 160),
        ),
        received("11:45:05", pressure("11:33", (195, 124)), pressure("10:01", (195, 122), 160)),
    ],
    "one that began earlier, whose readings were judged in its time": [
        received("12:24:00", pressure("12:23", (76, 46))),
        received("12:35:01", pressure("11:40", (193, 123))),
        received("12:45:01", pressure("10:10", (215, 131))),
    ],
    "one that a reading ended which was judged before": [
        received("14:11:01", pressure("13:40", (127, 82))),
        received(
            "14:11:02",
            pressure("12:40", (77, 44)),
            pressure("12:10", (215, 132)),
            pressure("11:10", (192, 122)),
        ),
        received("14:21:03", pressure("10:30", (67, 42))),
    ],
    "one that begins before another's correction": [
        received("12:28:05", pressure("12:28", (77, 45), 160)),
        received("12:29:05", pressure("11:28", (195, 124)), pressure("10:28", (87, 52), 160)),
        received("12:39:05", pressure("10:24", (192, 123))),
    ],
}


@pytest.mark.parametrize("uploads", FOUND.values(), ids=FOUND.keys())
def test_of_buffers_that_once_broke_it(uploads: list[Upload]) -> None:
    assert not broken_law(steps_of(with_clock(uploads)))


def test_a_broken_law_is_seen() -> None:
    events = steps_of(with_clock(FOUND["one that a reading ended which was judged before"]))
    again = [*events, events[0]]
    assert broken_law(again).endswith("opens twice")
    assert broken_law(events[1:]).endswith("does not open first")
