"""What on-call staff read: which alarm it is about, without a value or a name."""

from __future__ import annotations

import pytest

from notify import texts
from tests.support.notify_examples import delivery
from vigil.domain.reading import WITHDRAWAL_LABELS, WithdrawalReason


@pytest.mark.parametrize("reason", sorted(WITHDRAWAL_LABELS))
def test_a_withdrawn_alert_names_the_alarm_and_why(reason: WithdrawalReason) -> None:
    text = texts.on_call_text(delivery(reason="withdrawn", because=reason), "https://board/p1")
    assert text.title == "Medium priority: Alert withdrawn"
    assert (
        "The alarm of 21 Nov 2026, 06:12 UTC rested on readings that were withdrawn:"
        f" {WITHDRAWAL_LABELS[reason]}." in text.body
    )
    assert "Heart rate high." in text.body


def test_a_corrected_alert_says_that_it_stands() -> None:
    text = texts.on_call_text(delivery(reason="corrected", because="wrong_device"), "https://b")
    assert text.title == "Medium priority: Alert corrected"
    assert "rested on readings that were withdrawn: wrong device or cuff." in text.body
    assert "Without them it stands, at the priority above." in text.body


def test_a_reason_of_a_newer_version_is_left_out() -> None:
    text = texts.on_call_text(delivery(reason="withdrawn", because="something new"), "https://b")
    assert "rested on readings that were withdrawn." in text.body
