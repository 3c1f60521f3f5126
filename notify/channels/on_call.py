"""On-call staff, through any service that Apprise supports (https://github.com/caronc/apprise).

Most of these services are run by third parties, so a message contains a link and never a measured
value. Each URL is a recipient of its own: a service that is down does not cause the others to be
notified twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote
from zoneinfo import ZoneInfo

import apprise

from notify import texts
from notify.channels.contract import Outcome
from store.database.connections import Connection
from store.notifications.deliveries import Channel, Delivery
from vigil.service.errors import SettingsError

if TYPE_CHECKING:
    from vigil.service.settings import Settings


def recipient_id(url: str) -> str:
    """An id for an Apprise URL that does not reveal it (it contains passwords and tokens)."""
    return f"oncall-{sha256(url.encode()).hexdigest()[:16]}"


class OnCall:
    """The channel to on-call staff."""

    name: Channel = "on_call"
    threads = 2

    def __init__(self, settings: Settings):
        self._board = f"{settings.public_url.rstrip('/')}/board/patient/"
        self._zone = ZoneInfo(settings.time_zone)
        self._services = {
            recipient_id(url): _service(url, position)
            for position, url in enumerate(settings.oncall_urls, start=1)
        }

    def recipients(
        self, connection: Connection, patient_ids: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        """The whole on-call list, for every patient."""
        del connection
        everybody = sorted(self._services)
        return dict.fromkeys(patient_ids, everybody)

    def send(self, delivery: Delivery) -> Outcome:
        """Notify one of the on-call services."""
        service = self._services.get(delivery.recipient)
        if service is None:
            return Outcome("dropped", "no longer in VIGIL_ONCALL_URLS")
        address = self._board + quote(delivery.patient_id, safe="")
        text = texts.on_call_text(delivery, address, self._zone)
        urgent = delivery.priority == "high"
        taken = service.notify(
            title=text.title,
            body=text.body,
            notify_type=apprise.NotifyType.FAILURE if urgent else apprise.NotifyType.WARNING,
            body_format=apprise.NotifyFormat.TEXT,
        )
        return Outcome("sent") if taken else Outcome("retry", "the service did not take it")


def _service(url: str, position: int) -> apprise.Apprise:
    asset = apprise.AppriseAsset(app_id="Vigil", app_desc="Vigil", async_mode=False)
    service = apprise.Apprise(asset=asset)
    if not service.add(url):
        raise SettingsError(
            f"Number {position} is not an Apprise URL.",  # the URL itself may hold a password
            code="settings.invalid",
            field="VIGIL_ONCALL_URLS",
            how_to_fix="See https://github.com/caronc/apprise for how each service is written.",
        )
    return service
