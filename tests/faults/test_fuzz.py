"""Every topic, and messages on it that nobody of ours wrote: valid, nearly valid, and anything.

``make test`` sends 100,000 to each broker, ``make fuzz`` as many as one likes (10,000,000).
"""

from __future__ import annotations

import os

import pytest

from tests.conftest import BROKERS
from tests.support import fuzzed, oracle
from tests.support.faulty import PROCESSES, faulty
from tests.support.feeding import people
from tests.support.fuzzing import Fuzzer
from tests.support.rounds import SEED
from tests.support.schedule import print_line
from tests.support.topic_log import reading_log
from vigil.values.clock import utc_now

MESSAGES = int(os.environ.get("VIGIL_TEST_FUZZ_MESSAGES", "100000"))
HOURS = 6

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.faults,
    pytest.mark.timeout(600 + MESSAGES / 100),
]


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.xdist_group(f"fuzz on {kind}")) for kind in BROKERS],
)
def test_good_messages_are_handled_as_if_the_others_were_not_there(kind: str) -> None:
    print_line(f"\n{kind}, seed {SEED}, {MESSAGES} messages")
    uploads = people(8, SEED, HOURS)
    patients = {upload.patient_id for upload in uploads}
    with (
        faulty(kind, proxied=False) as system,
        reading_log(system.settings, *oracle.READ_TOPICS) as log,
    ):
        pids = {name: system.system.pid_of(name) for name in PROCESSES}
        used = fuzzed.between(system, uploads, Fuzzer(SEED, utc_now()), MESSAGES)
        fuzzed.settle(system, log, patients)
        fuzzed.check_the_good(system, log, patients)
        fuzzed.check_processes(system, pids, used)
        for (service, topic, reason), count in sorted(
            fuzzed.check_the_others(system, log, patients).items()
        ):
            print_line(f"{service:10} {topic:18} {reason:22} {count}")
