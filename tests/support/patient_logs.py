"""Random logs of two patients, for the laws that detection keeps on any of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hypothesis import strategies as st

from detectors.engine.engine import Engine
from tests.support.vitals import at, measured
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.reading import Measurement, Upload

Log = list[Upload | datetime]
"""What a partition holds: uploads, and the clock."""

gaps = st.sampled_from([1.0, 30.0, 60.0, 61.0, 300.0, 1800.0, 8000.0])
rates = st.sampled_from([66.0, 70.0, 74.0, 100.0, 118.0, 125.0, 135.0, 160.0, 38.0, 33.0, 400.0])
pressures = st.sampled_from(
    [(120.0, 80.0), (165.0, 95.0), (190.0, 110.0), (85.0, 50.0), (80.0, 90.0), (130.0, 85.0)]
)


@st.composite
def logs(
    draw: st.DrawFn, devices: Sequence[str] = ("d1",), apart: Sequence[float] = (20.0,)
) -> Log:
    """Some uploads of two patients, some of them late or again, and ticks.

    Args:
        devices: any of them may send any upload.
        apart: seconds between two measurements of an upload, one of these.
    """
    log: Log = []
    now = 0.0
    for _ in range(draw(st.integers(1, 25))):
        now += draw(gaps)
        what = draw(st.integers(0, 9))
        if what == 0:
            log.append(at(now))
        elif what == 1 and log:
            log.append(draw(st.sampled_from(log)))
        else:
            log.append(_upload(draw, now, devices, apart))
    return log


def _upload(draw: st.DrawFn, now: float, devices: Sequence[str], apart: Sequence[float]) -> Upload:
    late = draw(st.sampled_from([0.0, 1.0, 5000.0]))
    ahead = draw(st.sampled_from([0.0, 0.0, 0.0, 0.0, 900.0]))
    items: list[Measurement] = []
    every, count = draw(st.sampled_from(apart)), draw(st.integers(1, 4))
    if every > 20.0:  # a buffer that ends now, or so late
        late += (count - 1) * (every - 20.0)
    for i in range(count):
        values = {"heart_rate": draw(rates)} if draw(st.booleans()) else {}
        if draw(st.integers(0, 3)) == 0:
            values["systolic"], values["diastolic"] = draw(pressures)
        activity = draw(st.sampled_from(["rest", "rest", "active", "unknown", "asleep"]))
        contact = draw(st.sampled_from([None, None, None, False]))
        items.append(measured(now - late + ahead + i * every, values, activity, None, contact))  # type: ignore[arg-type]
    patient = draw(st.sampled_from(["p1", "p2"]))
    return Upload(
        patient, draw(st.sampled_from(devices)), at(now + 80), tuple(items), draw(st.booleans())
    )


def run(log: Sequence[Upload | datetime], engine: Engine) -> list[Event]:
    """The events of a log."""
    events: list[Event] = []
    for item in log:
        events += engine.tick(item) if isinstance(item, datetime) else engine.process(item)
    return events


def written(events: Iterable[Event]) -> list[bytes]:
    """As they go out, byte for byte."""
    return [encode(event) for event in events]
