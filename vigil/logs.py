"""Structured logs: one line an occurrence, JSON or for the eye, on stderr.

No line carries a patient's values or identity. That is enforced here rather than hoped for: the
fields that could are dropped (``patient_id`` becomes a short keyless digest that only tells two
patients apart within a log), whoever wrote the call.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from hashlib import sha256
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

import structlog

from vigil.signals import NAMES

if TYPE_CHECKING:
    from vigil.settings import Settings

_SALT = token_bytes(16)
PRIVATE = frozenset(
    {
        *NAMES, "values", "value", "evidence", "reading", "readings", "measurement", "upload",
        "text", "texts", "body", "title", "slots", "name", "display_name", "comment", "context",
        "endpoint", "subscription", "key", "password", "token",
    }
)  # fmt: skip
"""Fields that never reach a log line."""


def protect(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Structlog processor: drops what is private, replaces a patient's id by a digest.

    >>> protect(None, "", {"event": "stored", "heart_rate": 118, "rows": 3})
    {'event': 'stored', 'rows': 3}
    """
    for field in PRIVATE & fields.keys():
        del fields[field]
    for field in ("patient_id", "device_id"):
        if field in fields:
            digest = sha256(_SALT + str(fields.pop(field)).encode()).hexdigest()[:8]
            fields[field.removesuffix("_id")] = digest
    return fields


def configure(settings: Settings, service: str) -> None:
    """Set up logging for this process. Libraries' warnings come the same way."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        protect,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    last = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))


def get(name: str) -> Any:
    """A logger. First argument of a call: what happened, in words that do not vary."""
    return structlog.get_logger(part=name)
