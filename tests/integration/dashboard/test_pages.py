"""Whole pages over HTTP: what a person finds without any script."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from store.database.connections import connect
from store.people import phones
from tests.integration.dashboard.conftest import Board, form_token


def test_the_board_is_there_before_any_script(board: Board) -> None:
    with board.seed() as seed:
        seed.patient("n1", "Noor Kaya", "Ward N", synthetic=True)
        seed.readings("n1", lambda before: 72, minutes=30)
        seed.episode("n1", "heart_rate_high", priority="high")
        seed.patient("o1", "Omar Silva", "Ward O")
    with board.sign_in() as client:
        page = client.get("/board/").text
        for part in (
            "Noor Kaya", "Omar Silva", "SYNTHETIC", "Heart rate high", "Demonstration",
            "not a diagnosis", "never the sole alarm", 'aria-label="Heart rate, last 6 hours',
        ):  # fmt: skip
            assert part in page, part
        assert page.index("Noor Kaya") < page.index("Omar Silva")
        other = client.get("/board/", params={"ward": "Ward O"}).text
        assert "Noor Kaya" not in other
        assert "In other wards, not shown: 1 high" in other
        assert "Nobody is enrolled in this ward" in client.get("/board/?ward=Nowhere").text


def test_nobody_enrolled_says_how_to_enrol(board: Board) -> None:
    with connect(board.settings, autocommit=True) as connection:
        connection.execute("CREATE TABLE set_aside AS SELECT patient_id FROM patients WHERE active")
        connection.execute("UPDATE patients SET active = false")
        try:
            with board.later(timedelta(0)), board.sign_in() as client:
                board.part.context.feed._advance()
                page = client.get("/board/").text
        finally:
            connection.execute(
                "UPDATE patients SET active = true"
                " WHERE patient_id IN (SELECT patient_id FROM set_aside)"
            )
            connection.execute("DROP TABLE set_aside")
            board.part.context.feed._advance()
    assert "Nobody is enrolled yet" in page
    assert "vigil patient add" in page


def test_a_patients_page_has_episodes_with_their_basis(board: Board) -> None:
    with board.seed() as seed:
        seed.patient("b1", "Bo Haddad")
        seed.readings("b1", lambda before: 72, minutes=30)
        seed.episode("b1", "heart_rate_high", priority="high")
    with board.sign_in() as client:
        page = client.get("/board/patient/b1").text
        for part in ("Bo Haddad", "Limit in force", "Personal baseline", "3f9a51c2", "What to do"):
            assert part in page, part
        missing = client.get("/board/patient/nobody")
        assert missing.status_code == 404
        assert "There is no such patient" in missing.text


def test_a_phone_link_is_shown_once_and_opens_that_patient(board: Board) -> None:
    with board.seed() as seed:
        seed.patient("l1", "Lena Novak")
    with board.sign_in() as client:
        page = client.get("/board/patient/l1").text
        assert client.post("/board/patient/l1/phone", data={"csrf": "no"}).status_code == 404
        data = {"csrf": form_token(page)}
        assert client.post("/board/patient/nobody/phone", data=data).status_code == 404
        answer = client.post("/board/patient/l1/phone", data=data)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        found = re.search(r'value="http://127\.0\.0\.1:8000/phone/enrol/([\w-]{43})"', answer.text)
        assert found
        assert "<svg" in answer.text
    code = found.group(1)
    with connect(board.settings) as connection:
        row = connection.execute(
            "SELECT * FROM enrolments WHERE code_sha256 = %s", (phones.digest(code),)
        ).fetchone()
    assert row is not None
    assert (row["patient_id"], row["created_by"], row["used_at"]) == ("l1", "kim", None)
    assert timedelta(minutes=50) < row["expires_at"] - datetime.now(UTC) <= timedelta(hours=1)


def test_the_administration_lists_who_sends_and_who_signs_in(board: Board) -> None:
    with board.seed() as seed:
        seed.patient("d1", "Dev Rossi", "Ward D")
        seed.readings("d1", lambda before: 72, minutes=10)
        seed.device("seed-device", "d1", "left wrist")
        seed.device("hub-1", None, "corridor hub")
    with board.sign_in("ada") as client:
        page = client.get("/board/admin").text
    for part in ("Dev Rossi", "left wrist", "hub: any patient", "Ada Lund", "care team"):
        assert part in page, part
    line = page.split("left wrist")[1].split("</tr>")[0]
    assert "never" not in line


def test_the_administration_says_what_alarms_a_ward_has_to_bear(board: Board) -> None:
    with board.seed() as seed:
        seed.patient("burden1", "Ines Novak", "Ward Y")
        seed.readings("burden1", lambda before: 72, minutes=2 * 24 * 60)
        for hours in (1, 5, 30):
            seed.episode("burden1", "heart_rate_high", onset=timedelta(hours=hours))
        seed.patient("burden2", "Noor Kaya", "Ward Z")
    with board.sign_in("ada") as client:
        page = client.get("/board/admin").text
    busy = page.split('<th scope="row">Ward Y</th>')[1].split("</tr>")[0]
    assert busy.split("<td>")[-1] == "1.50</td>"
    empty = page.split('<th scope="row">Ward Z</th>')[1].split("</tr>")[0]
    assert "nothing measured" in empty
