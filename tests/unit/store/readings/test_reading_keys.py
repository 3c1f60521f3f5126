"""A reading's id and the number that represents it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from store.readings.keys import join_id, split_id

DERIVED = st.integers(0, 2**64 - 1).map(lambda number: f"r-{number:016x}")
ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)


@given(st.one_of(DERIVED, ANY, st.sampled_from(["r-00000000000000AB", "r-1", "r-" + "g" * 16])))
def test_the_id_comes_back(reading_id: str) -> None:
    key, kept = split_id(reading_id)
    assert -(2**63) <= key < 2**63
    assert join_id(key, kept) == reading_id


@given(DERIVED)
def test_only_the_number_of_a_derived_id_is_stored(reading_id: str) -> None:
    assert split_id(reading_id)[1] is None
