"""Uploads onto the topic in order, whether the sender insists or stops."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history import publishing
from history.publishing import Feed
from tests.support.messages import measurement, upload
from vigil.contracts import wire
from vigil.domain.reading import Upload
from vigil.service.errors import UnavailableError, WireError

UNAVAILABLE = UnavailableError("The broker is unavailable.", code="unavailable.broker")
UPLOADS = [upload(measurement(float(number))) for number in range(12)]


class Broker:
    """Takes messages; at each attempt, does what its list of answers says, then all goes well."""

    source = "test"

    def __init__(self, answers: Iterable[str] = ()):
        self.answers = list(answers)
        self.log: list[bytes] = []

    def send(self, message: wire.Outgoing) -> Any:
        answer = self.answers.pop(0) if self.answers else "ok"
        if answer == "refused":
            raise UNAVAILABLE
        if answer == "large":
            raise WireError("too large", code="wire.too_large")
        if answer in {"ok", "unheard"}:
            self.log.append(message.value)
        return Future(answer)

    def wait(self, future: Any) -> None:
        if future.answer != "ok":
            raise UNAVAILABLE

    def publish(self, messages: Iterable[wire.Outgoing]) -> int:
        for future in [self.send(message) for message in messages]:
            self.wait(future)
        return 0


class Future:
    def __init__(self, answer: str):
        self.answer = answer
        self.is_done = answer != "slow"


def last_places(log: list[bytes]) -> list[int]:
    """Where each upload stands for the last time."""
    values = [wire.to_message(one, "test").value for one in UPLOADS]
    return [len(log) - 1 - log[::-1].index(value) for value in values]


@given(st.lists(st.sampled_from(("ok", "lost", "unheard", "refused")), max_size=40))
def test_who_insists_brings_everything_in_order_and_tells_each_once(answers: list[str]) -> None:
    published: list[Upload] = []
    broker, stop = Broker(answers), threading.Event()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publishing, "RETRY_SECONDS", 0)
        patched.setattr(publishing, "MAX_WAITING", 3)
        Feed(broker, published.append, retry_until=stop).publish(UPLOADS)
    assert published == UPLOADS
    places = last_places(broker.log)
    assert places == sorted(places)


@pytest.mark.parametrize("answer", ["lost", "refused", "unheard"])
def test_who_does_not_insist_stops_with_the_error(answer: str) -> None:
    published: list[Upload] = []
    with pytest.raises(UnavailableError):
        Feed(Broker(["ok", "ok", answer]), published.append).publish(UPLOADS)
    assert published == UPLOADS[:2]


def test_what_can_never_be_taken_stops_both() -> None:
    for retry_until in (None, threading.Event()):
        with pytest.raises(WireError):
            Feed(Broker(["large"]), retry_until=retry_until).publish(UPLOADS)


def test_an_end_is_heard_while_the_broker_is_away() -> None:
    stop, published = threading.Event(), list[Upload]()
    broker = Broker(["refused"] * 100)
    threading.Timer(0.05, stop.set).start()
    Feed(broker, published.append, retry_until=stop).publish(UPLOADS)
    assert published == []
    assert broker.log == []
