"""Sends records as Kafka allows them, also those that kafka-python's producer has no words for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from kafka.record.default_records import DefaultRecordBatchBuilder


class _Null(bytes):
    """A header's value that goes out as null: Kafka allows it, kafka-python's producer does not."""


NULL = _Null()
"""A null among headers, while :func:`nulls` is open."""
_plain_append = DefaultRecordBatchBuilder.append


def _append(
    self: Any, offset: int, timestamp: int, key: Any, value: Any, headers: Any, **rest: Any
) -> Any:
    sent_headers = [(name, None if isinstance(given, _Null) else given) for name, given in headers]
    return _plain_append(self, offset, timestamp, key, value, sent_headers, **rest)


@contextmanager
def nulls() -> Iterator[None]:
    """Producers of this process can send null headers."""
    with patch.object(DefaultRecordBatchBuilder, "append", _append):
        yield
