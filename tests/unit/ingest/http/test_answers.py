"""No answer may make a sender drop readings that were not taken."""

from __future__ import annotations

import json

import pytest

from ingest.http.answers import problem as respond
from vigil.service.errors import CODES, UnavailableError


@pytest.mark.parametrize("code", [code for code in CODES if code.startswith("unavailable.")])
def test_whatever_is_unavailable_the_sender_is_asked_to_send_again(code: str) -> None:
    answer = respond(UnavailableError("Inside.", code=code, how_to_fix="Repair it inside."))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    problem = json.loads(bytes(answer.body))
    assert problem["code"] == "unavailable.broker", "the part that is unavailable is not disclosed"
    assert "nside" not in str(problem)
