"""The messages of an open page: what changed, a pulse, trouble, and nothing that depends on
another message having arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.board.rows import Fragment, make_fragment
from dashboard.live import stream as live
from dashboard.live.stream import Message, PageContent, Stream
from dashboard.shell.context import WebContext
from store.database.connections import async_pool
from store.database.driver_errors import unreachable_error
from store.episodes.feed import BoardFeed
from vigil.service.settings import Settings


def make_context() -> WebContext:
    settings = Settings(demo=True)
    return WebContext(settings=settings, pool=async_pool(settings), feed=BoardFeed(settings))


def pieces(**texts: str) -> list[Fragment]:
    return [make_fragment(key, "row", html) for key, html in texts.items()]


class Browser:
    """What ``assets/board.js`` keeps."""

    def __init__(self) -> None:
        self.shown: dict[str, tuple[str, str]] = {}

    def take(self, message: Message) -> bool:
        """Apply a message; False where a piece is missing and it would ask again."""
        whole, now = True, {}
        for key, digest in message.get("order", ()):
            if key in message["pieces"]:
                now[key] = (digest, message["pieces"][key]["html"])
            elif self.shown.get(key, ("", ""))[0] == digest:
                now[key] = self.shown[key]
            else:
                whole = False
        if "order" in message:
            self.shown = now
        return whole

    def seen(self) -> dict[str, str]:
        return {key: digest for key, (digest, _) in self.shown.items()}


async def some(stream: Stream, count: int, between: Callable[[int], None]) -> list[Message]:
    found: list[Message] = []
    async for message in stream.messages():
        found.append(message)
        if len(found) == count:
            break
        between(len(found))
    return found


def test_only_what_changed_is_sent_again() -> None:
    contents = [
        PageContent(pieces(a="1", b="1"), "h1"),
        PageContent(pieces(b="1", a="2"), "h2"),
        PageContent(pieces(b="1"), "h3"),
    ]
    context, place = make_context(), [0]

    async def read() -> PageContent:
        return contents[place[0]]

    def change(number: int) -> None:
        place[0] = number
        context.feed._advance()

    first, second, third = asyncio.run(some(Stream(context, read, number=7, seen={}), 3, change))
    assert first["stream"] == 7
    assert set(first["pieces"]) == {"a", "b"}
    assert set(second["pieces"]) == {"a"}
    assert [key for key, _ in second["order"]] == ["b", "a"]
    assert third["pieces"] == {}
    browser = Browser()
    assert all(browser.take(message) for message in (first, second, third))
    assert set(browser.shown) == {"b"}


def test_what_the_browser_already_has_is_not_sent() -> None:
    content = PageContent(pieces(a="1", b="1"), "h")

    async def read() -> PageContent:
        return content

    seen = {"a": content.fragments[0].digest, "gone": "x"}
    message = asyncio.run(
        some(Stream(make_context(), read, number=1, seen=seen), 1, lambda _: None)
    )[0]
    assert set(message["pieces"]) == {"b"}


def test_quiet_has_a_pulse_and_trouble_is_told_and_passes(monkeypatch: Any) -> None:
    monkeypatch.setattr(live, "PULSE_SECONDS", 0.01)
    monkeypatch.setattr(live, "RETRY_SECONDS", 0.02)
    answers: list[PageContent | None] = [
        PageContent(pieces(a="1"), "h"),
        None,
        PageContent(pieces(a="2"), "h"),
    ]
    context = make_context()

    async def read() -> PageContent:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            raise unreachable_error("gone")
        return answer

    def nudge(number: int) -> None:
        if number == 2:
            context.feed._advance()

    messages = asyncio.run(some(Stream(context, read, number=1, seen={}), 6, nudge))
    assert messages[1].get("pulse")
    trouble = next(message for message in messages if "trouble" in message)
    assert trouble["trouble"] == "unavailable.database"
    assert "order" not in trouble
    after = messages[messages.index(trouble) + 1 :]
    assert any("order" in message for message in after)


def test_a_stream_ends_with_its_lease_and_says_so(monkeypatch: Any) -> None:
    monkeypatch.setattr(live, "PULSE_SECONDS", 0.01)
    monkeypatch.setattr(live, "LEASE_SECONDS", 0.05)

    async def read() -> PageContent:
        return PageContent((), "")

    async def all_of() -> list[Message]:
        return [
            message async for message in Stream(make_context(), read, number=1, seen={}).messages()
        ]

    messages = asyncio.run(all_of())
    assert messages[-1]["again"] == 0
    assert not any("again" in message for message in messages[:-1])


def test_without_a_websocket_one_answer_says_when_to_ask_again() -> None:
    async def read() -> PageContent:
        return PageContent(pieces(a="1"), "h")

    message = asyncio.run(Stream(make_context(), read, number=1, seen={}).read_once())
    assert message["again"] == live.POLL_SECONDS
    assert set(message["pieces"]) == {"a"}


states = st.lists(
    st.dictionaries(st.sampled_from("abcde"), st.sampled_from("123")), min_size=1, max_size=6
)


@given(states, st.data())
def test_lost_messages_are_noticed_and_asking_again_mends(
    ward: list[dict[str, str]], data: st.DataObject
) -> None:
    browser, place, context = Browser(), [0], make_context()

    async def read() -> PageContent:
        return PageContent(pieces(**ward[place[0]]), "h")

    async def go() -> bool:
        stream, whole = Stream(context, read, number=1, seen={}), True
        for number in range(len(ward)):
            place[0] = number
            message = await stream._refresh()
            if not data.draw(st.booleans(), label="lost"):
                whole = browser.take(message)
        if not whole or browser.seen() != {p.key: p.digest for p in (await read()).fragments}:
            message = await Stream(context, read, number=2, seen=browser.seen())._refresh()
            whole = browser.take(message)
        return whole

    assert asyncio.run(go())
    assert {key: html for key, (_, html) in browser.shown.items()} == ward[-1]
