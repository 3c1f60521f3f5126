"""Web Push to the patient's phone: RFC 8030 (protocol), 8291 (encryption), 8292 (VAPID).

The push service (the browser vendor's) sees neither text nor patient: the payload is encrypted for
the phone, and neutral even so. ``Topic`` identifies the alert, so that a repeat replaces a message
that is still queued there. It is keyed: an alert's id is a plain hash of patient, kind and onset,
which the push service could guess. The phone receives the id inside the encrypted payload.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import requests
from py_vapid import Vapid02, VapidException
from pywebpush import WebPushException, webpush

from notify import texts
from notify.channels.contract import Outcome
from store.database.connections import Connection
from store.notifications import subscriptions
from store.notifications.deliveries import Channel, Delivery
from vigil.domain.kinds import Priority
from vigil.service.errors import SettingsError
from vigil.web.web_push import endpoint_allowed, keys_usable, topic, topic_key

if TYPE_CHECKING:
    from vigil.service.settings import Settings
    from vigil.values.clock import Clock

TIMEOUT_SECONDS = 10.0
"""Timeout for connecting, and again for the response."""
URGENCY: MappingProxyType[Priority, str] = MappingProxyType(
    {"high": "high", "medium": "normal", "low": "low"}
)
"""RFC 8030 §5.3: ``high`` wakes a sleeping phone, ``normal`` may wait while it saves battery."""
_GONE = frozenset({404, 410})
_NOT_NOW = frozenset({408, 413, 425, 429})


class _Session(requests.Session):
    """Disables redirects (an allowed host must not send us to another) and ``.netrc``."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request

    def request(self, *args: Any, **more: Any) -> requests.Response:
        """One request, without redirects."""
        return super().request(*args, **{**more, "allow_redirects": False})


class WebPush:
    """The channel to patients' phones."""

    name: Channel = "web_push"
    threads = 4

    def __init__(self, settings: Settings, private_key: str, clock: Clock):
        self._hosts = settings.push_hosts
        self._contact = settings.vapid_contact
        self._url = f"{settings.public_url.rstrip('/')}/phone"
        self._vapid = Vapid02.from_raw(private_key.encode())
        self._topic_key = topic_key(private_key)
        self._clock = clock
        self._local = threading.local()  # a session is not thread-safe
        try:
            self._vapid.sign({"sub": self._contact, "aud": "https://push.invalid"})
        except VapidException:
            raise SettingsError(
                "It is neither a mailto: nor an https: address.",
                code="settings.invalid",
                field="VIGIL_VAPID_CONTACT",
                how_to_fix="Name one that push services may write to (RFC 8292 §2.1).",
            ) from None

    def recipients(
        self, connection: Connection, patient_ids: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        """The live push subscriptions of each patient's phones."""
        return subscriptions.live_subscriptions(connection, patient_ids)

    def send(self, delivery: Delivery) -> Outcome:
        """Post a message to the push service of the phone's browser."""
        if delivery.endpoint is None:
            return Outcome("dropped", "the phone takes no messages any more")
        if not endpoint_allowed(delivery.endpoint, self._hosts):
            return Outcome("failed", "a host that VIGIL_PUSH_HOSTS does not name")
        if not keys_usable(delivery.p256dh or "", delivery.auth or ""):
            return Outcome("failed", "the subscription's keys cannot be used", recipient_gone=True)
        try:
            self._post(delivery)
        except WebPushException as error:
            return self._outcome(error)
        except requests.RequestException as error:
            return Outcome("retry", type(error).__name__)
        return Outcome("sent")

    def _post(self, delivery: Delivery) -> None:
        if not hasattr(self._local, "session"):
            self._local.session = _Session()
        seconds_left = (delivery.expires_at - self._clock()).total_seconds()
        webpush(
            {
                "endpoint": delivery.endpoint,
                "keys": {"p256dh": delivery.p256dh, "auth": delivery.auth},
            },
            self.payload(delivery),
            vapid_private_key=self._vapid,
            vapid_claims={"sub": self._contact},
            ttl=max(0, int(seconds_left)),
            headers={
                "Urgency": URGENCY[delivery.priority],
                "Topic": topic(self._topic_key, delivery.recipient, delivery.alert_id),
            },
            timeout=TIMEOUT_SECONDS,
            requests_session=self._local.session,
        )

    def payload(self, delivery: Delivery) -> bytes:
        """The message for the phone's service worker, as JSON; without health data."""
        title, body = texts.lock_screen_text(delivery)
        return msgspec.json.encode(
            {
                "delivery_id": delivery.delivery_id,
                "alert_id": delivery.alert_id,
                "title": title,
                "body": body,
                "url": self._url,
            }
        )

    def _outcome(self, error: WebPushException) -> Outcome:
        status = error.status_code or 0
        detail = f"the push service answered {status}"
        if 200 <= status < 300:
            return Outcome("sent", detail)
        if status in _GONE:
            return Outcome("failed", detail, recipient_gone=True)
        if status in _NOT_NOW or status >= 500:
            return Outcome("retry", detail, self._wait(error.retry_after))
        return Outcome("failed", detail)

    def _wait(self, retry_after: str | None) -> float | None:
        """Seconds until a Retry-After: a number of seconds or a date (RFC 9110 §10.2.3)."""
        if retry_after is None:
            return None
        if retry_after.strip().isdigit():
            return float(retry_after)
        try:
            moment: datetime = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - self._clock()).total_seconds())
