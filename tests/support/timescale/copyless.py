"""PostgreSQL in WASM ends when it is sent a COPY: readings are written to it as arrays."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from store.writing import writer


class ArraysOnly:
    """In place of :class:`store.readings.writer.ReadingWriter`: leaves every piece to arrays."""

    def __init__(self, _connection: object, *, direct: bool = True):
        del direct

    def insert(self, *_piece: Any) -> int:
        """Refuse, as a COPY does for one bad row."""
        raise psycopg.DataError("the server has no COPY")


def without_copy(patch: pytest.MonkeyPatch) -> None:
    """Write readings as arrays alone."""
    patch.setattr(writer, "ReadingWriter", ArraysOnly)
