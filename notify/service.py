"""Composes the notify worker: the planner on the stream, the sender on a background thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from notify import channels
from notify.channels.contract import Channel
from notify.planning.planner import Planner
from notify.sending.sender import TURN_SECONDS, Sender, WakeSignal
from store.database.connections import open_pool
from store.workers.positions import Positions
from vigil.service import logs
from vigil.service.background import Pulse
from vigil.streaming.loop import run_handler
from vigil.values.clock import Clock, utc_now

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("notify")


class NotifyWorker:
    """The worker ``notify``."""

    name = "notify"

    def __init__(self, settings: Settings, reachable: list[Channel], clock: Clock = utc_now):
        self._settings = settings
        self._channels = reachable
        self._clock = clock

    def run(self, stop: threading.Event, health: Health) -> None:
        """Plan and send until ``stop``; deliveries in progress are finished first."""
        for missing in {"web_push", "on_call"} - {channel.name for channel in self._channels}:
            log.warning("channel not configured: nobody is notified through it", channel=missing)
        wake_signal = WakeSignal()
        with open_pool(self._settings) as pool:
            sender = Sender(
                pool,
                self._channels,
                wake_signal=wake_signal,
                clock=self._clock,
                health=health,
            )
            planner = Planner(
                pool,
                self._channels,
                wake_signal=wake_signal,
                clock=self._clock,
                health=health,
                demo=self._settings.demo,
                positions=Positions(
                    self._settings, Planner.name, health=health, connect=pool.connection
                ),
            )
            thread = threading.Thread(target=sender.run, args=(stop,), name="sender")
            pulse = Pulse("sender", thread, TURN_SECONDS)
            sender.beat = pulse.beat
            health.watch("sender", pulse.look)
            health.watch("channels", sender.look)
            thread.start()
            try:
                run_handler(planner, self._settings, stop=stop, health=health)
            finally:
                stop.set()
                pulse.done()
                wake_signal.wake()
                thread.join()


def build(settings: Settings) -> NotifyWorker:
    """The worker, with the channels that the settings name.

    Raises:
        SettingsError: a channel's setting is there, and wrong.
    """
    return NotifyWorker(settings, channels.configured(settings, utc_now))
