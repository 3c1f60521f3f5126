"""Whatever can be decoded can be handled: no message on a topic brings a worker's own code down.

The same messages as in ``test_fuzz.py``, without broker and processes between: many more a second,
and the error that one causes is the test's own.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from detectors.configuration.loading import load
from detectors.engine.engine import Engine
from explain.templates.compose import compose
from notify import channels
from notify.planning.planner import Planner
from notify.sending.sender import WakeSignal
from store.database.connections import open_pool
from store.writing.writer import Writer
from tests.support.fuzzing import Fuzzer, Sent
from vigil.contracts import wire
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.reading import Tick, Upload, Withdrawal
from vigil.kafka.records import Record
from vigil.service.errors import WireError
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Received
from vigil.values.clock import utc_now

MESSAGES = 8_000
BATCH = 400
SEEDS = (11, 12)


def decoded(seed: int) -> Iterator[Received]:
    """What of a seed's messages a worker gets to see."""
    for offset, sent in enumerate(Fuzzer(seed).messages(MESSAGES)):
        message = _decoded(sent)
        if message is not None:
            raw = Record(offset, int(utc_now().timestamp() * 1000), None, sent.message.value, b"\0")
            yield Received(sent.message.topic, 0, offset, message, raw)


def _decoded(sent: Sent) -> wire.Carried | None:
    ce_type = wire.header(sent.message.headers, "ce_type")
    try:
        return wire.decode_typed(sent.message.topic, ce_type, sent.message.value)
    except WireError:
        return None


@pytest.mark.parametrize("seed", SEEDS)
def test_what_can_be_decoded_can_be_judged_and_worded(seed: int) -> None:
    engine, worded = Engine(load(None)), 0
    for received in decoded(seed):
        match received.message:
            case Upload() | Tick() | Withdrawal() as message:
                events = engine.take(message)
            case Event() as event:
                events = [event]
            case _:
                continue
        for event in events:
            alert = compose(event, None)
            assert (
                wire.decode(
                    "vitals.alerts", encode(alert), wire.to_message(alert, "explain").headers
                )
                == alert
            )
            worded += 1
    for patient in engine.patients():
        Engine(load(None)).load_state(patient, engine.state_of(patient))
    assert worded > MESSAGES // 40


@pytest.mark.parametrize("seed", SEEDS)
def test_what_can_be_decoded_is_stored_or_refused_by_name(database_url: str, seed: int) -> None:
    batch = list(decoded(seed))
    with psycopg.connect(database_url, row_factory=dict_row, autocommit=True) as connection:
        writer = Writer(connection)
        for start in range(0, len(batch), BATCH):
            written = writer.write(batch[start : start + BATCH])
            assert all(refused.reason.code == "wire.rejected" for refused in written.rejected)
            refused = {rejected.received.offset for rejected in written.rejected}
            for received in batch[start : start + BATCH]:
                if isinstance(received.message, Event) and received.offset not in refused:
                    assert _has(connection, received.message), received.raw.value


def _has(connection: psycopg.Connection[dict[str, object]], event: Event) -> bool:
    query = "SELECT 1 FROM events WHERE event_id = %s AND sequence = %s"
    return connection.execute(query, (event.episode_id, event.sequence)).fetchone() is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_what_can_be_decoded_is_planned_or_refused_by_name(database_url: str, seed: int) -> None:
    settings = Settings(demo=True, database_url=database_url, oncall_urls=("json://127.0.0.1:9",))
    reachable = channels.configured(settings, utc_now)
    batch = [r for r in decoded(seed) if r.topic in Planner.topics]
    with open_pool(settings) as pool:
        planner = Planner(
            pool,
            reachable,
            wake_signal=WakeSignal(),
            clock=utc_now,
            health=Health("notify"),
            demo=True,
        )
        for start in range(0, len(batch), BATCH):
            handled = planner.handle(batch[start : start + BATCH])
            assert all(refused.reason.code == "wire.rejected" for refused in handled.rejected)
