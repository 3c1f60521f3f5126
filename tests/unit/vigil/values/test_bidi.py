"""What somebody typed cannot turn the text around it, whatever it begins and does not end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from notify import texts
from tests.support.notify_examples import delivery
from vigil.values.bidi import FSI, PDI, closed, element, isolated

MARKS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
marked_texts = st.text(st.sampled_from(MARKS + "aZ1 אب\u200f"), max_size=12)


def open_after(text: str) -> tuple[list[str], int]:
    """What a text leaves open, and how many ends it has that end nothing of its own (UAX 9, X1 to
    X7, without the limit of depth)."""
    stack: list[str] = []
    loose = 0
    for character in text:
        if character in "\u202a\u202b\u202d\u202e":
            stack.append("embedding")
        elif character in "\u2066\u2067\u2068":
            stack.append("isolate")
        elif character == PDI:
            if "isolate" not in stack:
                loose += 1
                continue
            while stack.pop() != "isolate":
                pass
        elif character == "\u202c":
            if stack and stack[-1] == "embedding":
                stack.pop()
            elif not stack:
                loose += 1
    return stack, loose


@given(marked_texts)
def test_a_closed_text_ends_what_it_begins_and_nothing_else(text: str) -> None:
    assert open_after(closed(text)) == ([], 0)
    assert closed(closed(text)) == closed(text)
    seen = str.maketrans("", "", MARKS)
    assert closed(text).translate(seen) == text.translate(seen), "no letter is lost"


@given(marked_texts)
def test_an_isolated_text_is_isolated_wherever_it_could_move_anything(text: str) -> None:
    found = isolated(text)
    if any(c in MARKS or c in "אب\u200f" for c in text):
        assert (found[0], found[-1]) == (FSI, PDI)
        assert open_after(found[1:-1]) == ([], 0)
    else:
        assert found == text


def test_what_is_well_formed_stays_as_it_is() -> None:
    for text in ("Zoë Ångström-Łuk", "\u2067אב\u2069", "\u202bاب\u202c", "李小龙"):
        assert closed(text) == text
    assert str(element("a\u202e<")) == "<bdi>a\u202e&lt;\u202c</bdi>"


def test_a_ward_in_a_message_to_on_call_staff_is_isolated() -> None:
    text = texts.on_call_text(
        delivery(ward="Ward \u202eA"), "https://vigil.example/board/patient/p1"
    )
    assert f"Patient p1, {FSI}Ward \u202eA\u202c{PDI}." in text.body
