"""What this stage offers the composition root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explain.worker import ExplainWorker

if TYPE_CHECKING:
    from vigil.service.settings import Settings


def build(settings: Settings) -> ExplainWorker:
    """The worker, wired with these settings."""
    return ExplainWorker(settings)
