"""The laws of every channel, and what is particular to each."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

import notify.channels
from local.parts import free_port
from notify import texts
from notify.channels import configured
from notify.channels.contract import LEASE_SECONDS, Channel, Outcome
from notify.channels.on_call import OnCall, recipient_id
from notify.channels.web_push import TIMEOUT_SECONDS, WebPush
from store.notifications.deliveries import Delivery
from tests.support.notify_examples import NOW, delivery
from tests.support.push_service import Answer, PushService
from vigil.domain import ids
from vigil.service.errors import SettingsError
from vigil.service.settings import Settings
from vigil.values.catalogs import LOCALES
from vigil.web.web_push import new_private_key, public_key

KEY = new_private_key()


@contextmanager
def web_server(status: int = 200, headers: dict[str, str] | None = None) -> Iterator[Any]:
    """A server that takes any POST and keeps its body in ``server.bodies``."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (theirs)
            """Quiet."""

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.bodies = bodies
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def push_channel(**changes: Any) -> WebPush:
    given = {"push_hosts": "127.0.0.1", "public_url": "https://vigil.example", **changes}
    return WebPush(Settings(**given), KEY, lambda: NOW)


def to_phone(subscription: dict[str, Any], **changes: Any) -> Delivery:
    keys = subscription["keys"]
    return delivery(
        endpoint=subscription["endpoint"], p256dh=keys["p256dh"], auth=keys["auth"], **changes
    )


def dead_push() -> tuple[Channel, Delivery, str]:
    with PushService() as push:
        subscription = push.subscription()
    return push_channel(), to_phone(subscription), subscription["endpoint"]


def dead_on_call() -> tuple[Channel, Delivery, str]:
    url = f"json://user:hunter2@127.0.0.1:{free_port()}/path"
    channel = OnCall(Settings(oncall_urls=url))
    return channel, delivery(recipient=recipient_id(url)), "hunter2"


DEAD: dict[str, Callable[[], tuple[Channel, Delivery, str]]] = {
    "web_push": dead_push,
    "on_call": dead_on_call,
}


def test_every_channel_is_held_to_the_laws() -> None:
    folder = Path(notify.channels.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "contract"}
    assert files == set(DEAD)
    assert {make()[0].name for make in DEAD.values()} == files


@pytest.mark.parametrize("name", DEAD)
def test_a_dead_address_is_an_outcome_to_try_again_and_never_an_exception(name: str) -> None:
    channel, one, secret = DEAD[name]()
    outcome = channel.send(one)
    assert outcome.state == "retry"
    assert not outcome.recipient_gone
    assert outcome.detail
    assert secret not in outcome.detail
    assert one.patient_id not in outcome.detail


@pytest.mark.parametrize("name", DEAD)
def test_a_recipient_that_is_no_more_is_dropped(name: str) -> None:
    channel, _, _ = DEAD[name]()
    assert channel.send(delivery(recipient="somebody of before")).state == "dropped"


@pytest.mark.parametrize("name", DEAD)
def test_channels_send_several_at_once(name: str) -> None:
    assert DEAD[name]()[0].threads > 1


def test_only_what_the_settings_name_is_configured() -> None:
    assert configured(Settings(), lambda: NOW) == []
    both = Settings(vapid_private_key=KEY, oncall_urls="json://127.0.0.1:1")
    assert [c.name for c in configured(both, lambda: NOW)] == ["web_push", "on_call"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("vapid_private_key", "not a key"),
        ("vapid_private_key", "AAAA"),
        ("vapid_private_key", "A" * 43),  # zero is no private key
        ("vapid_contact", "ward"),
        ("oncall_urls", "json://127.0.0.1 nosuchservice://token"),
    ],
)
def test_a_wrong_setting_is_named_and_its_secret_is_not(setting: str, value: str) -> None:
    settings = Settings(**{"vapid_private_key": KEY, setting: value})
    with pytest.raises(SettingsError) as failed:
        configured(settings, lambda: NOW)
    assert failed.value.field == f"VIGIL_{setting.upper()}"
    assert "token" not in str(failed.value)


# Web Push ---------------------------------------------------------------------------------------


def test_a_push_is_encrypted_signed_urgent_and_neutral() -> None:
    one = delivery(priority="high", expires_at=NOW + timedelta(minutes=5))
    with PushService() as push:
        subscription = push.subscription(public_key(KEY))
        sent = push_channel().send(
            to_phone(subscription, priority="high", expires_at=one.expires_at)
        )
        [message] = push.wait(1)
    assert sent == Outcome("sent")
    assert message.headers["urgency"] == "high"
    assert message.headers["ttl"] == "300"
    assert re.fullmatch("[A-Za-z0-9_-]{32}", message.headers["topic"])
    assert message.payload == {
        "delivery_id": one.delivery_id,
        "alert_id": one.alert_id,
        "title": "Vigil",
        "body": "You have a new message from your care team.",
        "url": "https://vigil.example/phone",
    }


def topic_sent(channel: WebPush, **changes: Any) -> str:
    with PushService() as push:
        assert channel.send(to_phone(push.subscription(), **changes)) == Outcome("sent")
        [message] = push.wait(1)
    return message.headers["topic"]


def test_a_topic_replaces_across_processes_and_cannot_be_guessed() -> None:
    alert = ids.derive("alert", "p1", "heart_rate_high", "2026-11-21T06:02:00Z")
    given = {"alert_id": alert, "recipient": "phone-1"}
    first = topic_sent(push_channel(), **given)
    assert topic_sent(push_channel(), **given) == first  # another process, or after a restart
    others = [
        topic_sent(push_channel(), **given | {"recipient": "phone-2"}),
        topic_sent(push_channel(), **given | {"alert_id": ids.derive("alert", "p2")}),
        topic_sent(WebPush(Settings(push_hosts="127.0.0.1"), new_private_key(), lambda: NOW),
                   **given),
    ]  # fmt: skip
    assert len({first, *others}) == 4
    # What anybody can compute from patient, kind and onset:
    raw = bytes.fromhex(alert.replace("-", ""))
    digests = [hashlib.new(name, text.encode()).digest() for name in ("sha1", "sha256", "md5")
               for text in (alert, f"phone-1\0{alert}", alert.replace("-", ""))]  # fmt: skip
    for guess in (raw, *digests):
        assert base64.urlsafe_b64encode(guess).decode().rstrip("=")[:32] != first
        assert guess.hex()[:32] != first


def test_every_lock_screen_is_the_same_whatever_it_is_about() -> None:
    channel = push_channel()
    payloads = {
        (p["title"], p["body"])
        for p in (
            json.loads(channel.payload(delivery(kind=kind, priority=priority, ward=ward)))
            for kind in ("heart_rate_high", "blood_pressure_low")
            for priority in ("high", "medium")
            for ward in ("A", "oncology")
        )
    }
    assert len(payloads) == 1


@pytest.mark.parametrize("locale", LOCALES)
def test_every_locale_has_a_lock_screen_of_its_own(locale: str) -> None:
    title, body = texts.lock_screen_text(delivery(locale=locale))
    translations = {texts.lock_screen_text(delivery(locale=other))[1] for other in LOCALES}
    assert title == "Vigil"
    assert len(translations) == len(LOCALES)
    simulated = texts.lock_screen_text(delivery(locale=locale, synthetic=True))[1]
    assert simulated.endswith(body)
    assert simulated != body


def test_simulated_data_are_marked_on_the_lock_screen() -> None:
    payload = json.loads(push_channel().payload(delivery(synthetic=True, locale="xx")))
    assert payload["body"].startswith("Simulated data.")


@pytest.mark.parametrize(
    ("status", "state", "gone"),
    [
        (204, "sent", False), (404, "failed", True), (410, "failed", True),
        (413, "retry", False), (429, "retry", False), (500, "retry", False),
        (503, "retry", False), (400, "failed", False), (403, "failed", False),
    ],
)  # fmt: skip
def test_what_each_answer_means(status: int, state: str, gone: bool) -> None:
    with PushService() as push:
        push.answer(status)
        outcome = push_channel().send(to_phone(push.subscription()))
    assert (outcome.state, outcome.recipient_gone) == (state, gone)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120.0), ("Sat, 21 Nov 2026 06:13:30 GMT", 90.0), ("soon", None),
     ("Sat, 21 Nov 2026 06:00:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_is_understood(header: str, seconds: float | None) -> None:
    with PushService() as push:
        push.answer(Answer(429, {"Retry-After": header}))
        outcome = push_channel().send(to_phone(push.subscription()))
    assert outcome.retry_after_seconds == seconds


def test_a_host_that_is_not_named_is_not_called() -> None:
    with PushService() as push:
        outcome = push_channel(push_hosts="*.push.apple.com").send(to_phone(push.subscription()))
        assert push.messages == []
    assert outcome.state == "failed"
    assert "VIGIL_PUSH_HOSTS" in outcome.detail


def test_a_redirect_is_not_followed() -> None:
    with PushService() as push, web_server() as elsewhere:
        target = f"http://127.0.0.1:{elsewhere.server_port}/"
        push.answer(*[Answer(status, {"Location": target}) for status in (301, 307)])
        subscription = push.subscription()
        for _ in range(2):
            assert push_channel().send(to_phone(subscription)).state == "failed"
        assert elsewhere.bodies == []


@pytest.mark.parametrize("p256dh", ["", "AAAA", "!!!", "B" * 87])
def test_keys_that_cannot_be_used_end_the_subscription(p256dh: str) -> None:
    with PushService() as push:
        subscription = push.subscription()
        subscription["keys"]["p256dh"] = p256dh
        outcome = push_channel().send(to_phone(subscription))
    assert (outcome.state, outcome.recipient_gone) == ("failed", True)


def test_an_attempt_ends_well_before_its_lease() -> None:
    assert 2 * TIMEOUT_SECONDS < LEASE_SECONDS / 2


# On call ----------------------------------------------------------------------------------------


def test_an_on_call_message_has_a_link_and_no_measured_value() -> None:
    with web_server() as server:
        url = f"json://127.0.0.1:{server.server_port}/page"
        channel = OnCall(Settings(oncall_urls=url, public_url="https://vigil.example/"))
        sent = channel.send(
            delivery(recipient=recipient_id(url), priority="high", patient_id="p:1")
        )
        [body] = server.bodies
    assert sent == Outcome("sent")
    message = json.loads(body)
    assert message["title"] == "HIGH priority: New alert"
    assert message["message"].splitlines() == [
        "Heart rate high.",
        "Patient p:1, A.",
        "Raised 21 Nov 2026, 06:12 UTC.",
        "Open the board: https://vigil.example/board/patient/p%3A1",
    ]


def test_an_on_call_message_is_in_the_wards_zone_and_names_it() -> None:
    with web_server() as server:
        url = f"json://127.0.0.1:{server.server_port}/page"
        channel = OnCall(Settings(oncall_urls=url, time_zone="Europe/Berlin"))
        channel.send(delivery(recipient=recipient_id(url)))
        message = json.loads(server.bodies[0])
    assert "Raised 21 Nov 2026, 07:12 Europe/Berlin." in message["message"]


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"reason": "raised"}, "Medium priority: Alert raised"),
        (
            {"reason": "need_help", "kind": "", "priority": "high"},
            "HIGH priority: A patient asks for help",
        ),
        ({"reason": "worse"}, "Medium priority: Worse since acknowledged"),
        (
            {"reason": "joined"},
            "Medium priority: Further finding, new or worse, since acknowledged",
        ),
        ({"reason": "continues"}, "Medium priority: Still present"),
        ({"synthetic": True}, "[Simulated] Medium priority: New alert"),
    ],
)
def test_on_call_reads_why(changes: dict[str, Any], title: str) -> None:
    with web_server() as server:
        url = f"json://127.0.0.1:{server.server_port}/page"
        OnCall(Settings(oncall_urls=url)).send(delivery(recipient=recipient_id(url), **changes))
        message = json.loads(server.bodies[0])
    assert message["title"] == title
    assert ("SIMULATED DATA" in message["message"]) == changes.get("synthetic", False)


def test_each_on_call_url_is_a_recipient_of_its_own() -> None:
    with web_server() as good, web_server(500) as bad:
        urls = [f"json://127.0.0.1:{server.server_port}/" for server in (good, bad)]
        channel = OnCall(Settings(oncall_urls=" ".join(urls)))
        known = channel.recipients(None, ["p1", "p2"])  # type: ignore[arg-type]
        assert known["p1"] == known["p2"]
        assert len(known["p1"]) == 2
        assert not any("127.0.0.1" in recipient for recipient in known["p1"])
        outcomes = {channel.send(delivery(recipient=recipient)).state for recipient in known["p1"]}
        assert outcomes == {"sent", "retry"}
        assert (len(good.bodies), len(bad.bodies)) == (1, 1)


def test_payloads_hold_nothing_but_what_is_listed() -> None:
    listed = {"delivery_id", "alert_id", "title", "body", "url"}
    assert set(msgspec.json.decode(push_channel().payload(delivery()))) == listed


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Raised 21 Nov 2026, 06:12 UTC."),
        ({"reason": "worse"}, "Measured 21 Nov 2026, 06:12 UTC."),
        (
            {"happened_at": NOW - timedelta(hours=3)},
            "Raised 21 Nov 2026, 03:12 UTC, received 21 Nov 2026, 06:12 UTC.",
        ),
        ({"happened_at": NOW - timedelta(minutes=1)}, "Raised 21 Nov 2026, 06:11 UTC."),
        (
            {"happened_at": NOW - timedelta(hours=5), "time_uncertain": True},
            "Received 21 Nov 2026, 06:12 UTC. Time uncertain: the device's clock is wrong.",
        ),
    ],
)
def test_on_call_reads_when_it_happened(changes: dict[str, Any], line: str) -> None:
    assert line in texts.on_call_text(delivery(**changes), "link").body.splitlines()
