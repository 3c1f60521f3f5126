"""The tests' own push service must itself refuse what a real one refuses."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from pywebpush import WebPushException, webpush

from tests.support.push_service import Answer, PushService
from vigil.web.web_push import new_private_key, public_key


def send(subscription: dict[str, Any], key: str, **more: Any) -> Any:
    claims = {"sub": "mailto:ward@example.org", **more.pop("claims", {})}
    return webpush(
        subscription,
        json.dumps({"n": 1}),
        vapid_private_key=key,
        vapid_claims=claims,
        timeout=5,
        **more,
    )


def test_takes_and_decrypts_a_message() -> None:
    key = new_private_key()
    with PushService() as push:
        reply = send(push.subscription(public_key(key)), key, ttl=60, headers={"Urgency": "high"})
        [message] = push.wait(1)
    assert reply.status_code == 201
    assert message.payload == {"n": 1}
    assert message.headers["ttl"] == "60"
    assert message.claims["sub"] == "mailto:ward@example.org"


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"headers": {"Topic": "x" * 33}}, 400),
        ({"headers": {"Urgency": "now"}}, 400),
        ({"claims": {"aud": "https://elsewhere.example"}}, 403),
        ({"claims": {"exp": 4_000_000_000}}, 403),
    ],
)
def test_refuses_what_the_standards_forbid(how: dict[str, Any], status: int) -> None:
    with PushService() as push:
        with pytest.raises(WebPushException) as failed:
            send(push.subscription(), new_private_key(), **how)
        assert failed.value.status_code == status
        assert push.messages == []
        assert len(push.refused) == 1


def test_refuses_another_application_server_and_an_unknown_subscription() -> None:
    with PushService() as push:
        with pytest.raises(WebPushException) as failed:
            send(push.subscription(public_key(new_private_key())), new_private_key())
        assert failed.value.status_code == 403
        other = push.subscription()
        other["endpoint"] = f"{push.url}/push/nobody"
        with pytest.raises(WebPushException) as failed:
            send(other, new_private_key())
        assert failed.value.status_code == 404


def test_refuses_a_request_without_a_token() -> None:
    with PushService() as push:
        request = urllib.request.Request(  # noqa: S310 (our own server)
            push.subscription()["endpoint"],
            b"x",
            {"TTL": "1", "Content-Encoding": "aes128gcm"},
        )
        with pytest.raises(urllib.error.HTTPError) as failed:
            urllib.request.urlopen(request, timeout=5)  # noqa: S310
        failed.value.close()
        assert failed.value.code == 401


def test_answers_as_configured() -> None:
    key = new_private_key()
    with PushService() as push:
        subscription = push.subscription()
        push.answer(Answer(429, {"Retry-After": "7"}))
        with pytest.raises(WebPushException) as failed:
            send(subscription, key)
        assert (failed.value.status_code, failed.value.retry_after) == (429, "7")
        send(subscription, key)
        assert [m.status for m in push.messages] == [429, 201]
