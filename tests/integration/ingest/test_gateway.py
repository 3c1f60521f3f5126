"""The gateway on a real broker: what is taken, what is refused, and how it says so."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.ingest.conftest import (
    BEHIND,
    HUB,
    PASSED_ON,
    REVOKED,
    WATCH,
    Door,
    on_topic,
    uploads,
)
from tests.support.running import eventually
from vigil.domain import ids
from vigil.domain.reading import Tick, Upload
from vigil.domain.signals import NAMES
from vigil.service.errors import CODES

pytestmark = pytest.mark.kafka
KEY = {"Authorization": f"Bearer {HUB}"}
JSON = {"Content-Type": "application/json"}


def reading(reading_id: str, **change: Any) -> dict[str, Any]:
    """A good reading with an id of its own."""
    return {
        "patient_id": "p1",
        "time": "2026-11-20T06:02:00Z",
        "values": {"heart_rate": 72},
        "reading_id": reading_id,
    } | change


def found(door: Door, *names: str) -> list[Upload]:
    """The uploads on the topic that carry these readings."""
    return [u for u in uploads(door.settings) if {m.reading_id for m in u.measurements} & {*names}]


def error(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and field of a problem; it says the same in the form of earlier releases."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"https://vigil.invalid/problems/{body['code']}"
    assert (body["status"], body["title"]) == (response.status_code, CODES[body["code"]])
    assert body["how_to_fix"]
    named = {"field": body["field"]} if "field" in body else {}
    assert body["error"] == {
        "code": body["code"],
        "message": body["detail"],
        "how_to_fix": body["how_to_fix"],
        "mend": body["how_to_fix"],
        **named,
    }
    return response.status_code, body["code"], body.get("field")


def test_one_reading_is_on_the_topic_when_it_is_answered(door: Door) -> None:
    before = datetime.now(UTC)
    response = door.post(reading("one"))
    assert (response.status_code, response.json()) == (200, {
        "accepted": 1, "duplicates": 0, "rejected": 0,
        "results": [{"index": 0, "status": "accepted", "reading_id": "one"}],
    })  # fmt: skip
    [upload] = found(door, "one")
    assert (upload.patient_id, upload.device_id, upload.synthetic) == ("p1", "hub-1", False)
    assert before <= upload.received_at <= datetime.now(UTC)
    assert upload.measurements[0].values == {"heart_rate": 72}


def test_a_batch_is_one_upload_a_patient_in_order_of_time(door: Door) -> None:
    batch = [
        reading("b1", time="2026-11-20T06:05:00Z"),
        reading("b2", patient_id="sim-1"),
        reading("b3", time="2026-11-20T06:04:00Z"),
    ]
    response = door.post({"readings": batch})
    assert (response.status_code, response.json()["accepted"]) == (200, 3)
    assert [r["reading_id"] for r in response.json()["results"]] == ["b1", "b2", "b3"]
    sent = {u.patient_id: u for u in found(door, "b1", "b2", "b3")}
    assert [m.reading_id for m in sent["p1"].measurements] == ["b3", "b1"]
    assert [m.reading_id for m in sent["sim-1"].measurements] == ["b2"]
    assert (sent["p1"].synthetic, sent["sim-1"].synthetic) == (False, True)


def test_an_id_is_derived_where_none_is_given(door: Door) -> None:
    words = {name: value for name, value in reading("").items() if name != "reading_id"}
    first = door.post(words | {"values": {"heart_rate": 81}}).json()["results"][0]
    again = door.post(words | {"values": {"heart_rate": 81.0}}).json()["results"][0]
    other = door.post(words | {"values": {"heart_rate": 82}}).json()["results"][0]
    assert (first["status"], again["status"], other["status"]) == (
        "accepted", "duplicate", "accepted",
    )  # fmt: skip
    assert first["reading_id"] == again["reading_id"] != other["reading_id"]


def test_units_are_converted_once(door: Door) -> None:
    values = {"systolic": {"value": 16, "unit": "kPa"}, "diastolic": {"value": 10, "unit": "kPa"}}
    assert door.post(reading("kpa", values=values)).status_code == 200
    [upload] = found(door, "kpa")
    assert upload.measurements[0].values == {"systolic": 120.0099, "diastolic": 75.0062}


def test_sending_again_changes_nothing(door: Door) -> None:
    batch = {"readings": [reading("r1"), reading("r2"), reading("r1")]}
    first = door.post(batch).json()
    assert (first["accepted"], first["duplicates"]) == (2, 1)
    again = door.post(batch)
    assert again.status_code == 200
    assert again.json()["duplicates"] == 3
    assert len(found(door, "r1", "r2")) == 1


def test_an_id_that_a_device_used_at_another_time_is_another_reading(door: Door) -> None:
    assert door.post(reading("7")).json()["accepted"] == 1
    assert door.post(reading("7", time="2026-11-20T07:00:00Z")).json()["accepted"] == 1
    assert door.post(reading("7", patient_id="p2")).json()["accepted"] == 1
    assert len(found(door, "7")) == 3


def test_a_corrected_clock_is_ours_on_the_topic_and_what_the_device_said_is_known(
    door: Door,
) -> None:
    sent = "2026-11-20T01:03:00-00:00"
    body = {"sent_at": sent, "readings": [reading("late", time="2026-11-20T01:02:00Z")]}
    assert door.post(body, key=BEHIND).status_code == 200
    [upload] = found(door, "late")
    assert ids.timestamp(upload.measurements[0].time) == "2026-11-20T06:02:00Z"
    assert upload.clock_correction_seconds == 18_000
    assert upload.sent_at == datetime.fromisoformat(sent)
    plain = reading("on-time", sent_at="1969-01-01T00:00:00+01:00")  # before any bound: any clock
    assert door.post(plain).status_code == 200
    [upload] = found(door, "on-time")
    assert (upload.clock_correction_seconds, upload.sent_at) == (
        0,
        datetime(1970, 1, 1, tzinfo=UTC),
    )
    for wrong in ({"sent_at": "now"}, {"sent_at": None}):
        status = error(door.post(reading("bad") | wrong))
        assert status == (422, "input.wrong_type", "sent_at")


def test_an_assigned_device_speaks_for_its_patient_alone(door: Door) -> None:
    own = {name: value for name, value in reading("own").items() if name != "patient_id"}
    assert door.post(own, key=WATCH).status_code == 200
    assert found(door, "own")[0].patient_id == "p1"
    foreign = reading("foreign", patient_id="p2")
    assert error(door.post(foreign, key=WATCH)) == (
        403, "access.not_your_patient", "patient_id",
    )  # fmt: skip
    mixed = door.post({"readings": [own | {"reading_id": "own2"}, foreign]}, key=WATCH)
    assert mixed.status_code == 207
    assert not found(door, "foreign")
    hub = door.post(own)
    assert error(hub) == (422, "input.missing_field", "patient_id")


def test_what_a_device_measured_for_its_former_wearer_is_refused(door: Door) -> None:
    before = reading("before", time="2026-11-21T06:00:19Z")
    assert error(door.post(before, key=PASSED_ON)) == (403, "access.before_assignment", "time")
    since = reading("since", time="2026-11-21T06:00Z")  # of some second of that minute
    mixed = door.post({"readings": [before, since]}, key=PASSED_ON)
    assert [result["status"] for result in mixed.json()["results"]] == ["rejected", "accepted"]
    assert not found(door, "before")
    assert found(door, "since")[0].patient_id == "p1"


def test_a_mixed_batch_says_what_became_of_each(door: Door) -> None:
    response = door.post({"readings": [
        reading("m1"),
        reading("m2", values={"heart_rate": 420}),
        reading("m1"),
        reading("m3", patient_id="nobody"),
    ]})  # fmt: skip
    body = response.json()
    assert (response.status_code, body["accepted"], body["duplicates"], body["rejected"]) == (
        207, 1, 1, 2,
    )  # fmt: skip
    assert [r["status"] for r in body["results"]] == [
        "accepted", "rejected", "duplicate", "rejected",
    ]  # fmt: skip
    assert response.headers["content-type"] == "application/json"
    faults = [r["error"] for r in body["results"] if "error" in r]
    assert all(fault["mend"] == fault["how_to_fix"] for fault in faults)
    assert [(f["code"], f["field"]) for f in faults] == [
        ("input.impossible_value", "readings[1].values.heart_rate"),
        ("input.unknown_patient", "readings[3].patient_id"),
    ]
    assert len(found(door, "m1", "m2", "m3")) == 1


def test_a_contact_flag_that_cannot_be_read_is_noted(door: Door) -> None:
    response = door.post({"readings": [
        reading("c1", context={"contact": "False"}),
        reading("c2", context={"contact": "perhaps"}),
    ]})  # fmt: skip
    first, second = response.json()["results"]
    assert (response.status_code, first["status"], second["status"]) == (
        200, "accepted", "accepted",
    )  # fmt: skip
    assert "note" not in first
    assert second["note"]["field"] == "readings[1].context.contact"
    taken = [one.context.contact for each in found(door, "c1", "c2") for one in each.measurements]
    assert taken == [False, False]


LATER = ids.timestamp(datetime.now(UTC) + timedelta(hours=12))


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"values": {"pulse": 72}}, "input.unknown_signal", "values.pulse"),
        ({"values": {"heart_rate": {"value": 1.2, "unit": "Hz"}}}, "input.unknown_unit",
         "values.heart_rate.unit"),
        ({"patient_id": "nobody"}, "input.unknown_patient", "patient_id"),
        ({"patient_id": "gone"}, "input.unknown_patient", "patient_id"),
        ({"values": {"heart_rate": 500}}, "input.impossible_value", "values.heart_rate"),
        ({"values": {"systolic": 70, "diastolic": 90}}, "input.systolic_not_above_diastolic",
         "values.systolic"),
        ({"time": LATER}, "input.future_time", "time"),
        ({"time": "1970-01-01T00:00:00Z"}, "input.ancient_time", "time"),
        ({"time": "2026-11-20T06:02:00"}, "input.naive_time", "time"),
        ({"values": {}}, "input.no_values", "values"),
        ({"name": "Jane"}, "input.unknown_field", "name"),
    ],
)  # fmt: skip
def test_a_bad_reading_is_422_and_names_its_field(
    door: Door, change: dict[str, Any], code: str, field: str
) -> None:
    response = door.post(reading("bad", **change))
    assert error(response) == (422, code, field)
    assert response.json()["results"][0]["error"] == response.json()["error"]
    assert response.json()["rejected"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"readings": []}, 422, "input.wrong_type", "readings"),
        ({"readings": {}}, 422, "input.wrong_type", "readings"),
        ({"readings": [1], "patient_id": "p1"}, 422, "input.unknown_field", "patient_id"),
        ({"readings": [{}] * 1001}, 413, "input.too_large", "readings"),
        ([], 422, "input.wrong_type", "body"),
        ("reading", 422, "input.wrong_type", "body"),
        ({"readings": [3]}, 422, "input.wrong_type", "readings[0]"),
    ],
)
def test_a_body_of_the_wrong_form_is_named(
    door: Door, body: Any, status: int, code: str, field: str
) -> None:
    assert error(door.post(body)) == (status, code, field)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a": NaN}', b'{"a": 1e999}', b"\xff\xfe", b'"\\ud800"', b"[" * 5000, b"{} {}"],
)
def test_broken_json_is_400(door: Door, content: bytes) -> None:
    response = door.client.post("/v1/readings", content=content, headers=KEY | JSON)
    assert error(response) == (400, "input.broken_json", "body")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "access.no_key"),
        ({"Authorization": "Basic dTpw"}, "access.no_key"),
        ({"Authorization": "Bearer"}, "access.no_key"),
        ({"Authorization": "Bearer vk_wrong"}, "access.wrong_key"),
        ({"Authorization": f"Bearer {REVOKED}"}, "access.wrong_key"),
        ({"X-API-Key": "vk_wrong"}, "access.wrong_key"),
    ],
)
def test_no_key_or_a_wrong_one_is_401(door: Door, headers: dict[str, str], code: str) -> None:
    response = door.client.post("/v1/readings", json=reading("k"), headers=headers)
    assert error(response)[:2] == (401, code)
    assert response.headers["www-authenticate"] == "Bearer"
    assert "vk_" not in response.text.replace("vk_…", "")


def test_the_key_may_stand_in_a_header_of_its_own(door: Door) -> None:
    headers = {"X-API-Key": HUB}
    response = door.client.post("/v1/readings", json=reading("x-api-key"), headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_another_content_type_is_415(door: Door, headers: dict[str, str]) -> None:
    response = door.client.post("/v1/readings", content=b"{}", headers=KEY | headers)
    status, code, field = error(response)
    assert (status, code) == (415, "input.wrong_content_type")
    assert field == ("Content-Encoding" if "Content-Encoding" in headers else "Content-Type")


def stream(size: int) -> Iterator[bytes]:
    """A body whose length is not said."""
    for _ in range(size // 100_000):
        yield b" " * 100_000


@pytest.mark.parametrize("content", [b" " * 10_000_000, None], ids=["stated", "chunked"])
def test_ten_megabytes_are_413(door: Door, content: bytes | None) -> None:
    body = content if content is not None else stream(10_000_000)
    response = door.client.post("/v1/readings", content=body, headers=KEY | JSON)
    assert error(response) == (413, "input.too_large", "body")


def test_a_body_is_never_held_beyond_the_limit(door: Door) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    response = door.client.post("/v1/readings", content=stream(200_000_000), headers=KEY | JSON)
    assert error(response) == (413, "input.too_large", "body")
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 20_000
    assert door.post(reading("after")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("GET", "/v1/readings", 405, "input.wrong_method", "POST"),
        ("POST", "/v1/signals", 405, "input.wrong_method", "GET"),
        ("GET", "/v1/nothing", 404, "input.unknown_path", None),
        ("DELETE", "/v1/readings/7", 404, "input.unknown_path", None),
        ("GET", "/v1/", 404, "input.unknown_path", None),
    ],
)
def test_an_unknown_path_or_method_is_json_too(
    door: Door, method: str, path: str, status: int, code: str, allow: str | None
) -> None:
    response = door.client.request(method, path)
    assert error(response)[:2] == (status, code)
    assert response.headers.get("allow") == allow


def test_the_signals_are_told(door: Door) -> None:
    reported = door.client.get("/v1/signals").json()
    assert [row["name"] for row in reported] == list(NAMES)
    systolic = next(row for row in reported if row["name"] == "systolic")
    assert systolic["unit"] == "mm[Hg]"
    assert "kPa" in systolic["accepted_units"]


def test_the_clock_is_in_every_partition(door: Door) -> None:
    def ticks() -> dict[int, list[Tick]]:
        found: dict[int, list[Tick]] = {}
        for partition, message in on_topic(door.settings):
            if isinstance(message, Tick):
                found.setdefault(partition, []).append(message)
        return found

    reported = eventually(lambda: len(t := ticks()) == 3 and min(map(len, t.values())) >= 3 and t)
    assert isinstance(reported, dict)
    for partition in reported.values():
        times = [tick.time for tick in partition]
        assert times == sorted(times)
        assert all(time.tzinfo is not None for time in times)


def test_the_documents_curl_example_works(door: Door) -> None:
    text = (Path(__file__).parents[3] / "docs" / "ingest.md").read_text()
    block = next(part for part in text.split("```sh\n")[1:] if part.startswith("curl"))
    command = block.split("```")[0].replace("http://127.0.0.1:8000", door.url)
    ran = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "VIGIL_DEVICE_KEY": HUB},
    )  # fmt: skip
    assert '"accepted":2' in ran.stdout


BAD = ("a\x00b", "\x1b", "\x7f", "\x85", "\ud83d", "\udc00", "two\nlines")


@pytest.mark.parametrize("bad", BAD, ids=ascii)
def test_text_that_cannot_be_stored_is_refused_in_every_field(door: Door, bad: str) -> None:
    good = reading("never")
    wrong: list[dict[str, Any]] = [
        good | {name: bad}
        for name in ("patient_id", "reading_id", "time", "values", "context", bad)
    ]
    wrong += [good | {"values": {bad: 72}}, good | {"values": {"heart_rate": bad}}]
    wrong += [good | {"values": {"heart_rate": {"value": 72, "unit": bad}}}]
    wrong += [good | {"context": {name: bad}} for name in ("activity", "posture", bad)]
    for body in (*wrong, *({"readings": [one]} for one in wrong), {bad: []}):
        content = json.dumps(body).encode()  # escaped: httpx would not spell half a pair
        assert (
            error(door.client.post("/v1/readings", content=content, headers=KEY | JSON))[0] == 422
        )
    raw = json.dumps(good).replace("never", bad)
    answer = door.client.post(
        "/v1/readings", content=raw.encode("utf-8", "surrogatepass"), headers=KEY | JSON
    )
    assert answer.status_code in {400, 422}
    assert not found(door, "never", bad)


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad.isascii()], ids=ascii)
def test_text_that_cannot_be_stored_is_no_flag_and_is_not_stored(door: Door, bad: str) -> None:
    name = f"flag{BAD.index(bad)}"
    content = json.dumps(reading(name, context={"contact": f"{bad}?"})).encode()
    answer = door.client.post("/v1/readings", content=content, headers=KEY | JSON)
    (result,) = answer.json()["results"]
    assert (result["status"], result["note"]["code"]) == ("accepted", "input.wrong_type")
    assert found(door, name)[0].measurements[0].context.contact is False


@pytest.mark.parametrize("bad", ["%00", "%ff", "%zz", "%C2%85"])
def test_an_address_that_is_no_text_is_422_in_the_apis_own_form(door: Door, bad: str) -> None:
    from tests.integration.web.conftest import ask

    for path in (f"/v1/{bad}", f"/v1/signals?a={bad}"):
        status, headers, body = ask(door.url, path)
        assert (status, headers["content-type"]) == (422, "application/problem+json")
        problem = json.loads(body)
        assert problem["code"] == problem["error"]["code"] == "input.bad_text"
        assert problem["how_to_fix"] == problem["error"]["mend"]
