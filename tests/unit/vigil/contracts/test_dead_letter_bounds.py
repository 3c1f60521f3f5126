"""A dead letter can always be sent: every part is bounded, and what is cut is said."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from vigil.contracts import dead_letter_bounds, topics, wire
from vigil.service.errors import WireError

SIZES = st.sampled_from((0, 1, 2, 100, 2000, 65_536, 65_537, 400_000, 3_000_000, 4_200_000))
CHARACTERS = st.sampled_from(("h", "é", "\ufffd", "\0"))
HEADER = st.tuples(st.builds(lambda c, n: c * (n % 70_000), CHARACTERS, SIZES), SIZES)
OWN = {"vigil_cut", "vigil_cut_key", "vigil_cut_headers"}


def size(dead_letter: wire.Outgoing) -> int:
    """As it is written down, before compression."""
    headers = sum(len(name.encode()) + len(value) + 10 for name, value in dead_letter.headers)
    return len(dead_letter.key or b"") + len(dead_letter.value) + headers + 200


@given(
    key=st.none() | SIZES,
    value=st.none() | SIZES,
    headers=st.lists(HEADER, max_size=4),
    tiny=st.sampled_from((0, 3, 1020, 1500, 60_000)),
    detail=SIZES,
    stamp=st.sampled_from((-1, 0, 1, 1_795_000_000_123, 2**62, -(2**62))),
)
@hypothesis_settings(max_examples=60)
def test_every_letter_is_well_below_what_the_topic_takes_and_says_what_was_cut(
    key: int | None, value: int | None, headers: list[tuple[str, int]], tiny: int, detail: int,
    stamp: int,
) -> None:  # fmt: skip
    sent: list[tuple[str, bytes | None]] = [(name, b"v" * many) for name, many in headers]
    sent += [(f"{n:x}", None) for n in range(tiny)]
    original = wire.DeadOriginal(
        None if key is None else b"k" * key, None if value is None else b"x" * value, sent,
        "store", WireError("é" * detail, code="wire.rejected"), stamp,
    )  # fmt: skip
    dead_letter = wire.build_dead_letter("vitals.readings", 1, 2, original)
    assert size(dead_letter) < 0.9 * topics.LARGEST_MESSAGE
    assert dead_letter == wire.build_dead_letter("vitals.readings", 1, 2, original)
    marks = {name for name, _ in dead_letter.headers} & OWN
    kept = [pair for pair in dead_letter.headers if pair[0].startswith(dead_letter_bounds.PREFIX)]
    whole_headers = [(f"original_{name}", v or b"") for name, v in sent]
    assert (dead_letter.key == original.key) == ("vigil_cut_key" not in marks)
    assert (dead_letter.value == (original.value or b"")) == ("vigil_cut" not in marks)
    assert (kept == whole_headers) == ("vigil_cut_headers" not in marks)
    assert wire.header(dead_letter.headers, "ce_time").endswith("Z")
    assert wire.header(dead_letter.headers, "ce_id")


def test_a_letters_time_is_the_brokers_and_so_always_the_same() -> None:
    reason = WireError("?", code="wire.rejected")
    original = wire.DeadOriginal(b"p1", b"{}", [], "store", reason, 1_795_000_000_123)
    dead_letter = wire.build_dead_letter("vitals.readings", 1, 2, original)
    assert wire.header(dead_letter.headers, "ce_time") == "2026-11-18T11:06:40.123000Z"
