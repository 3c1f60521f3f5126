"""Structured logs on stderr: one line per event, as JSON or for reading on a terminal.

No line carries a patient's values or identity. This is enforced here, whatever a call passes:

- fields that could carry them are dropped; ``patient_id`` becomes a short digest that only
  distinguishes patients within one process's log;
- of an error only its type, code and place are logged: its message may quote data;
- of a library's line only the first line of the template is logged, without the values put into
  it. An unavailable broker causes many of these a second: the same one is logged at most every ten
  seconds, with the number that was left out.

The first argument of a call must not vary; a test checks that.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import MutableMapping
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from traceback import extract_tb
from types import TracebackType
from typing import TYPE_CHECKING, Any

import structlog

from vigil.domain.signals import NAMES

if TYPE_CHECKING:
    from vigil.service.settings import Settings

Fields = MutableMapping[str, Any]

_SALT = token_bytes(16)
PRIVATE = frozenset(
    {
        *NAMES,
        "values",
        "value",
        "evidence",
        "reading",
        "readings",
        "measurement",
        "upload",
        "text",
        "texts",
        "body",
        "title",
        "slots",
        "name",
        "display_name",
        "comment",
        "context",
        "endpoint",
        "subscription",
        "key",
        "password",
        "token",
    }
)
"""Fields that never reach a log line."""


def protect(_logger: Any, _method: str, fields: Fields) -> Fields:
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


def describe_error(error: BaseException | None) -> str:
    """Types, codes and places of an error and its causes, the outermost first; no message.

    >>> describe_error(ValueError("p1 has 118"))
    'ValueError'
    """
    lines: list[str] = []
    while error is not None:
        marks = (getattr(error, name, None) for name in ("code", "sqlstate", "strerror"))
        known = ", ".join(mark for mark in marks if isinstance(mark, str) and mark)
        lines.append(type(error).__qualname__ + (f" ({known})" if known else ""))
        lines += [
            f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
            for frame in extract_tb(error.__traceback__)
        ]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)


def _errors(_logger: Any, _method: str, fields: Fields) -> Fields:
    given = fields.pop("exc_info", None)
    fields.pop("stack_info", None)
    if given:
        error = given if isinstance(given, BaseException) else None
        error = error or (given[1] if isinstance(given, tuple) else sys.exc_info()[1])
        fields["exception"] = describe_error(error)
    return fields


def _library(_logger: Any, _method: str, fields: Fields) -> Fields:
    record = fields["_record"]
    template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    fields["event"] = template.partition("\n")[0]
    fields["part"] = record.name
    if record.left_out:
        fields["left_out"] = record.left_out
    return fields


class Repetitions(logging.Filter):
    """Passes the same line of the same library's logger once in :attr:`SECONDS`."""

    SECONDS = 10.0
    LINES = 1000
    """How many are remembered: a library may format its lines itself, so that no two are equal."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[tuple[str, str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log it; ``left_out`` is set to how many were not since the last one."""
        line = (record.name, str(record.msg), record.exc_info and record.exc_info[0])
        logged_at, left_out = self._logged.get(line, (0.0, 0))
        if 0 <= record.created - logged_at < self.SECONDS:
            self._logged[line] = logged_at, left_out + 1
            return False
        if len(self._logged) >= self.LINES:
            self._logged.clear()
        self._logged[line] = record.created, 0
        record.left_out = left_out
        return True


def configure(settings: Settings | None, service: str) -> None:
    """Set up logging for this process: Vigil's events, libraries' warnings, and the error that ends
    a thread or the process.

    Args:
        settings: level and format; None: Vigil's own warnings alone, for a terminal.
        service: bound to every line.
    """
    name, form = (settings.log_level, settings.log_format) if settings else ("WARNING", "console")
    level = logging.getLevelNamesMapping()[name]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        protect,
        _errors,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    last = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)
    threshold = max(level, logging.WARNING) if settings else logging.CRITICAL
    _configure_libraries(shared, last, threshold)
    # It warns of every step of 0.1 s, which a busy machine makes many of.
    logging.getLogger("kafka.net.selector").setLevel(max(level, logging.ERROR))
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )


def _configure_libraries(shared: list[Any], last: Any, threshold: int) -> None:
    """Log what libraries log through the same processors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
            foreign_pre_chain=[_library, *shared],
        )
    )
    handler.addFilter(Repetitions())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    logging.raiseExceptions = False  # it would print a line's values where it cannot format them


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    get("process").critical("ended by an error", exc_info=error.with_traceback(trace))


def get(name: str) -> Any:
    """A logger. The first argument of a call is what happened, in words that do not vary."""
    return structlog.get_logger(part=name)
