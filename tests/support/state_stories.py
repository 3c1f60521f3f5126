"""Lives of patients up to a save and after it: what a version of the state is held to.

``python -m tests.support.state_stories FOLDER`` writes the state of each at the save, and the
events that followed, as the present version has them. A folder's states are made once, by the
version that it is named after, and never again: they are the proof that later versions read what
that one wrote. The events change only where ``DETECTOR_VERSION`` says that detection does. (4: the
evidence holds figures, and a mean of 134.57 over days, which reads 135, meets the limit of 135, so
that ``cuff_days`` opens a day sooner. 5: how closely an episode was observed, and that it is
announced again: ``charted`` after four hours.)
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from detectors.configuration.loading import from_tables
from detectors.engine.engine import Engine
from tests.support.patient_logs import run
from tests.support.vitals import DAY, HOUR, at, cuff, heart, measured, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Upload


class Story(NamedTuple):
    """A patient ``p1`` under a configuration, before and after a save."""

    before: Sequence[Upload | datetime]
    after: Sequence[Upload | datetime]
    config: Mapping[str, Any] = {}

    def engine(self) -> Engine:
        """One that has seen nothing."""
        return Engine(from_tables(dict(self.config)))


def _rates(source: random.Random, mean: float, count: int) -> list[float]:
    return [mean + source.randint(-5, 5) for _ in range(count)]


def _days(source: random.Random, days: int, mean: float, start: float = 0.0) -> list[Upload]:
    """A heart rate every 15 minutes, lower by night."""
    items: list[Upload] = []
    for slot in range(days * 96):
        rate = mean - (9 if slot % 96 < 28 else 0) + source.randint(-4, 4)
        items += heart([rate], start=start + slot * 900.0)
    return items


def _ticks(start: float, end: float, every: float = 60.0) -> list[datetime]:
    return [at(start + i * every) for i in range(int((end - start) / every))]


def _open_episode(source: random.Random) -> Story:
    calm, fast = _rates(source, 70, 60), _rates(source, 135, 20)
    return Story(heart([*calm, *fast]), heart(_rates(source, 71, 20), start=80 * 60))


def _with_parts(source: random.Random) -> Story:
    before = [*heart(_rates(source, 160, 12)), *cuff([(85, 50), (84, 49)], start=700.0, every=90.0)]
    after = [*heart(_rates(source, 70, 15), start=960.0), *cuff([(120, 80)] * 3, start=2000.0)]
    return Story([*before], [*after])


def _on_its_way(source: random.Random) -> Story:
    calm = heart(_rates(source, 70, 30))
    return Story(
        [*calm, *heart(_rates(source, 130, 6), start=1800)],
        [*heart(_rates(source, 130, 20), start=2160)],
    )


def _nights(source: random.Random) -> Story:
    return Story([*_days(source, 40, 70)], [*_days(source, 8, 82, start=40 * DAY)])


def _cuff_days(source: random.Random) -> Story:
    pressures = [(128 + i % 9, 79 + i % 5) for i in range(16)]
    high = [(148 + i % 9, 91 + i % 5) for i in range(12)]
    return Story(
        [*cuff(pressures, start=8 * HOUR, every=DAY / 2)],
        [*cuff(high, start=8 * HOUR + 8 * DAY, every=DAY / 2)],
    )


def _charted(source: random.Random) -> Story:
    def hours(start: int, end: int, ill: float) -> list[Upload]:
        return [
            upload(measured(hour * HOUR, {
                "heart_rate": 82 + source.randint(-4, 4) + 30 * ill,
                "systolic": 124 + source.randint(-6, 6) - 30 * ill,
                "diastolic": 76.0 + source.randint(-4, 4) - 14 * ill,
                "respiratory_rate": 16.0 + source.randint(-1, 1) + 9 * ill,
                "spo2": 97.0 - 5 * ill, "temperature": 36.8 + 1.6 * ill,
            }, "rest"))
            for hour in range(start, end)
        ]  # fmt: skip

    return Story([*hours(0, 60, 0.0)], [*hours(60, 75, 1.0)], {"profile": "icu_charting"})


def _two_devices(source: random.Random) -> Story:
    def pair(start: int, end: int, apart: float) -> list[Upload]:
        both: list[Upload] = []
        for i in range(start, end):
            rate = 70.0 + source.randint(-3, 3)
            ours, theirs = heart([rate], start=i * 60.0)[0], heart([rate + apart], start=i * 60.0)
            both += [ours, replace(theirs[0], device_id="d2")]
        return both

    return Story([*pair(0, 40, 2.0), *pair(40, 48, 30.0)], [*pair(48, 60, 30.0)])


def _held_back(source: random.Random) -> Story:
    return Story(
        [*heart([*_rates(source, 70, 30), 175.0])], [*heart(_rates(source, 172, 15), start=1860.0)]
    )


def _stuck(source: random.Random) -> Story:
    return Story([*heart([*_rates(source, 70, 10), *[118.0] * 15])],
                 [*heart(_rates(source, 75, 12), start=1500.0)])  # fmt: skip


def _no_contact(source: random.Random) -> Story:
    off = [upload(measured(i * 60.0, {"heart_rate": 70.0}, contact=False)) for i in range(8)]
    return Story([*off], [*heart(_rates(source, 75, 10), start=480.0)])


def _wrong_clock(source: random.Random) -> Story:
    wrong = upload(measured(9000.0, {"heart_rate": 70.0}), received=700.0)
    return Story([*heart(_rates(source, 70, 10)), wrong], [*heart([71.0], start=800.0)])


def _clock_behind(source: random.Random) -> Story:
    items = [
        replace(item, received_at=item.received_at + timedelta(hours=5))
        for item in heart([*_rates(source, 72, 20), *_rates(source, 140, 30)])
    ]
    return Story(items[:28], [*items[28:], *heart(_rates(source, 71, 4), start=6 * HOUR)])


def _silent(source: random.Random) -> Story:
    worn = heart(_rates(source, 70, 60))
    later = heart(_rates(source, 70, 3), start=4 * HOUR)
    return Story([*worn, *_ticks(60.0, 3 * HOUR)], [*_ticks(3 * HOUR, 4 * HOUR), *later])


def _waiting(source: random.Random) -> Story:
    return Story([*heart(_rates(source, 70, 60)), *_ticks(60.0, HOUR)], [*_ticks(HOUR, 2 * HOUR)])


def _gone(source: random.Random) -> Story:
    worn = heart(_rates(source, 70, 60))
    later = heart(_rates(source, 134, 15), start=9 * DAY)
    return Story([*worn, *_ticks(0.0, 8 * DAY, 100.0)], [*later])


def _unusual(source: random.Random) -> Story:
    return Story([*_days(source, 6, 68)],
                 [*heart(_rates(source, 112, 60), start=6 * DAY + 14 * HOUR)])  # fmt: skip


def _late_lane(source: random.Random) -> Story:
    worn, back = heart(_rates(source, 70, 30)), heart(_rates(source, 70, 8), start=3 * HOUR)
    buffer = [
        replace(item, received_at=at(3 * HOUR + 500))
        for item in heart(_rates(source, 136, 40), start=HOUR)
    ]
    return Story([*worn, *back, *buffer[:25]], [*buffer[25:], *_ticks(3 * HOUR + 600, 4 * HOUR)])


def _gap(source: random.Random) -> Story:
    fast, more = heart(_rates(source, 133, 20)), heart(_rates(source, 133, 5), start=3600.0)
    calm = heart(_rates(source, 70, 20), start=3900.0)
    late = [
        replace(item, received_at=at(5200.0))
        for item in heart(_rates(source, 134, 36), start=1260.0)
    ]
    return Story([*fast, *more, *calm], [*late, *heart(_rates(source, 70, 3), start=5300.0)])


_BUILDERS: tuple[Callable[[random.Random], Story], ...] = (
    _charted, _clock_behind, _cuff_days, _gap, _gone, _held_back, _late_lane, _nights, _no_contact,
    _on_its_way, _open_episode, _silent, _stuck, _two_devices, _unusual, _waiting, _with_parts,
    _wrong_clock,
)  # fmt: skip
STORIES: Mapping[str, Callable[[random.Random], Story]] = {
    build.__name__.removeprefix("_"): build for build in _BUILDERS
}


def story(name: str) -> Story:
    """One of :data:`STORIES`, the same at each call."""
    return STORIES[name](random.Random(name))  # noqa: S311


def announced(events: list[Event]) -> list[dict[str, Any]]:
    """Events in plain values, without what names the version and the configuration."""
    plain: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(events))
    for event in plain:
        del event["detector_version"], event["config_hash"]
    return plain


def resumed(one: Story, engine: Engine) -> list[dict[str, Any]]:
    """What follows the save, in an engine that holds the patient's state."""
    clock = [item for item in one.before if isinstance(item, datetime)]
    engine.watermark = clock[-1] if clock else None
    return announced(run(one.after, engine))


def write(folder: Path) -> None:
    """The states and events of the present version."""
    folder.mkdir(parents=True)
    for name in STORIES:
        one, engine = story(name), story(name).engine()
        run(one.before, engine)
        (folder / f"{name}.bin").write_bytes(engine.state_of("p1"))
        events = announced(run(one.after, engine))
        lines = b"".join(msgspec.json.encode(event, order="sorted") + b"\n" for event in events)
        (folder / f"{name}.jsonl").write_bytes(lines)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
