"""The base of every section of the detection configuration, and the number types of its keys."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=100_000)]
Hour = Annotated[int, Meta(ge=0, le=23)]
Steps = Annotated[float, Meta(gt=0, le=400)]
Offset = Annotated[float, Meta(ge=-12, le=14)]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration; a key that it does not know is refused."""
