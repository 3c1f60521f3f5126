"""Structs as bytes: equal objects are equal bytes."""

from __future__ import annotations

import msgspec

encode = msgspec.json.Encoder(order="deterministic").encode
"""JSON bytes, keys in a fixed order: equal objects are equal bytes."""
