"""The detectors as a worker of their own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from detectors.configuration.loading import load
from detectors.worker import NAME, Detectors
from vigil.streaming.loop import run_handler

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings


class DetectorsWorker:
    """Runs :class:`~detectors.worker.Detectors` on the stream."""

    name = NAME

    def __init__(self, settings: Settings):
        self._settings = settings
        self._config = load(settings.detection_config)

    def run(self, stop: threading.Event, health: Health) -> None:
        """Work until ``stop``."""
        handler = Detectors(self._settings, self._config, health)
        try:
            run_handler(handler, self._settings, stop, health)
        finally:
            handler.close()


def build(settings: Settings) -> DetectorsWorker:
    """The worker, wired with these settings.

    Raises:
        SettingsError: the detection configuration cannot be used.
    """
    return DetectorsWorker(settings)
