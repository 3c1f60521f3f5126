"""The channels that are configured. Adding one is a file here and a row in this function."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notify.channels.contract import Channel
    from vigil.service.settings import Settings
    from vigil.values.clock import Clock


def configured(settings: Settings, clock: Clock) -> list[Channel]:
    """Every channel that the settings give what it needs; each is imported only then.

    Raises:
        SettingsError: a channel's setting is there, and wrong.
    """
    from vigil.web.web_push import private_key  # noqa: PLC0415

    channels: list[Channel] = []
    key = private_key(settings)
    if key is not None:
        from notify.channels.web_push import WebPush  # noqa: PLC0415

        channels.append(WebPush(settings, key, clock))
    if settings.oncall_urls:
        from notify.channels.on_call import OnCall  # noqa: PLC0415

        channels.append(OnCall(settings))
    return channels
