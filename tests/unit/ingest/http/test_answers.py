"""What a sender is told must never make it drop readings that were not taken."""

from __future__ import annotations

import json

import pytest

from ingest.http.answers import problem
from vigil.service.errors import CODES, UnavailableError


@pytest.mark.parametrize("code", [code for code in CODES if code.startswith("unavailable.")])
def test_whatever_is_away_the_sender_is_asked_to_send_again(code: str) -> None:
    answer = problem(UnavailableError("Inside.", code=code, how_to_fix="Mend it inside."))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    told = json.loads(bytes(answer.body))["error"]
    assert told["code"] == "unavailable.broker", "which part it is is no sender's business"
    assert "nside" not in str(told)
