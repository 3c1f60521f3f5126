"""The messages of an open page: what changed, a pulse, trouble, and nothing that depends on
another message having arrived.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dashboard.board.rows import Fragment, make_fragment, make_parts
from dashboard.live import stream as live
from dashboard.live.stream import Message, PageContent, ReadContent, Stream
from dashboard.live.versions import MOST_VERSIONS, Versions, find_difference
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

    def __init__(self, version: str = "") -> None:
        self.version = version
        self.rows: list[str] = []
        self.html: dict[str, list[str]] = {}
        self.digests: dict[str, str] = {}
        self.head = ""

    def load(self, content: PageContent, versions: Versions) -> None:
        """Load the page."""
        self.version = versions.remember(content.fragments, content.head).version
        self.rows = [piece.key for piece in content.fragments]
        self.html = {piece.key: elements(piece.html) for piece in content.fragments}
        self.digests = {piece.key: piece.digest for piece in content.fragments}
        self.head = content.head

    def take(self, message: Message) -> bool:
        """Apply a message; False where it would ask again."""
        if message.get("unknown") or message.get("base", self.version) != self.version:
            return False
        if "version" not in message:
            return True
        for key in message["gone"]:
            self.rows.remove(key)
        for key, piece in message["pieces"].items():
            self._replace(key, piece)
        for key, after in message["places"]:
            if key in self.rows:
                self.rows.remove(key)
            self.rows.insert(self.rows.index(after) + 1 if after else 0, key)
        self.head = message.get("head", self.head)
        self.version = message["version"]
        return bool(len(self.rows) == message["count"])

    def _replace(self, key: str, piece: dict[str, Any]) -> None:
        if "html" in piece:
            self.html[key] = elements(piece["html"])
        else:
            parts = self.html[key]
            for place, html in piece["parts"]:
                parts[place : place + 1] = [html]
            del parts[piece["of"] :]
            assert len(parts) == piece["of"]
        self.digests[key] = piece["digest"]

    def ask(self, number: int = 1, *, listing: bool = False) -> dict[str, Any]:
        """The request for a stream, as JSON carries it."""
        seen = [[key, self.digests[key]] for key in self.rows] if listing else None
        request = {"stream": number, "version": self.version, "seen": seen}
        return msgspec.json.decode(msgspec.json.encode(request))  # type: ignore[no-any-return]

    def shown(self) -> list[tuple[str, str]]:
        return [(key, "".join(self.html[key])) for key in self.rows]


def elements(html: str) -> list[str]:
    """What a browser makes of it."""
    return re.findall(r"<p>.*?</p>|[^<]+", html)


def shows(content: PageContent) -> list[tuple[str, str]]:
    return [(piece.key, piece.html) for piece in content.fragments]


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
        PageContent(pieces(b="1"), "h2"),
    ]
    context, place, versions, browser = make_context(), [0], Versions(), Browser()

    async def read() -> PageContent:
        return contents[place[0]]

    def change(number: int) -> None:
        place[0] = number
        context.feed._advance()

    stream = Stream(context, read, versions=versions, start=browser.ask(7, listing=True))
    first, second, third = asyncio.run(some(stream, 3, change))
    assert first["stream"] == 7
    assert set(first["pieces"]) == {"a", "b"}
    assert set(second["pieces"]) == {"a"}
    assert len(second["places"]) == 1
    assert second["head"] == "h2"
    assert (third["pieces"], third["places"], third["gone"]) == ({}, [], ["a"])
    assert "head" not in third
    assert all(browser.take(message) for message in (first, second, third))
    assert browser.shown() == shows(contents[-1])
    assert browser.head == "h2"


def test_a_page_that_was_just_loaded_is_sent_nothing() -> None:
    content = PageContent(pieces(a="1", b="1"), "h")
    versions, browser = Versions(), Browser()
    browser.load(content, versions)
    message = answer(content, versions, browser.ask())
    assert (message["pieces"], message["places"], message["gone"]) == ({}, [], [])
    assert "head" not in message
    assert message["version"] == browser.version


def test_a_server_that_does_not_know_the_version_asks_for_the_list_once() -> None:
    """It was started again, or another process sent the page."""
    content = PageContent(pieces(a="1", b="2", c="3"), "h2")
    browser = Browser()
    browser.load(PageContent(pieces(b="1", a="1"), "h1"), Versions())
    other = Versions()
    message = answer(content, other, browser.ask())
    assert message["unknown"]
    assert "version" not in message
    assert not browser.take(message)
    message = answer(content, other, browser.ask(2, listing=True))
    assert set(message["pieces"]) == {"b", "c"}
    assert browser.take(message)
    assert browser.shown() == shows(content)
    assert browser.head == "h2"
    assert answer(content, other, browser.ask(3))["pieces"] == {}


def test_the_same_content_has_the_same_version_in_every_process() -> None:
    content = PageContent(pieces(a="1", b="1"), "h")
    one, two = (Versions().remember(content.fragments, "h").version for _ in range(2))
    assert one == two
    assert Versions().remember(content.fragments[::-1], "h").version != one
    assert Versions().remember(content.fragments, "i").version != one


def test_the_oldest_versions_are_forgotten() -> None:
    versions = Versions()
    names = [
        versions.remember(pieces(a=str(number)), "").version for number in range(MOST_VERSIONS + 1)
    ]
    assert versions.find({"version": names[0]}) is None
    assert all(versions.find({"version": name}) for name in names[1:])


def test_of_a_row_only_the_elements_that_changed_are_sent() -> None:
    before = make_parts("a", "row", ["<p>1</p>", "<p>2</p>", "<p>3</p>"])
    versions, browser = Versions(), Browser()
    browser.load(PageContent([before], ""), versions)
    for parts, sent in (
        (["<p>1</p>", "<p>9</p>", "<p>3</p>"], [[1, "<p>9</p>"]]),
        (["<p>1</p>", "<p>9</p>", "<p>3</p>", "<p>4</p>"], [[3, "<p>4</p>"]]),
        (["<p>1</p>", "<p>9</p>"], []),
    ):
        content = PageContent([make_parts("a", "row high", parts)], "")
        message = answer(content, versions, browser.ask())
        assert message["pieces"]["a"]["parts"] == sent
        assert message["pieces"]["a"]["css"] == "row high"
        assert browser.take(message)
        assert browser.shown() == [("a", "".join(parts))]
    whole = answer(PageContent(pieces(a="fault"), ""), versions, browser.ask())
    assert whole["pieces"]["a"]["html"] == "fault"


def test_one_changed_row_of_five_hundred_is_at_most_two_kilobytes() -> None:
    def ward(changed: int) -> PageContent:
        parts = [f"<div>{number:0200d}</div>" for number in range(6)]
        rows = [make_parts(f"patient-{number:04d}", "row none", parts) for number in range(500)]
        rows[changed] = make_parts(rows[changed].key, "row high", [*parts[:5], "<div>new</div>"])
        return PageContent([rows[changed], *rows[:changed], *rows[changed + 1 :]], "x" * 1000)

    versions, browser = Versions(), Browser()
    browser.load(ward(100), versions)
    message = answer(ward(400), versions, browser.ask())
    del message["state"]
    assert len(message["pieces"]) == 2
    assert len(message["places"]) <= 2
    assert len(msgspec.json.encode(message)) < 1500


def answer(content: PageContent, versions: Versions, start: dict[str, Any]) -> Message:
    """What a poll gets."""

    async def read() -> PageContent:
        return content

    return asyncio.run(Stream(make_context(), read, versions=versions, start=start).read_once())


def test_quiet_has_a_pulse_and_trouble_is_reported_and_passes(monkeypatch: Any) -> None:
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

    messages = asyncio.run(some(started(context, read), 6, nudge))
    assert messages[1].get("pulse")
    trouble = next(message for message in messages if "trouble" in message)
    assert trouble["trouble"] == "unavailable.database"
    assert "version" not in trouble
    after = messages[messages.index(trouble) + 1 :]
    assert any("version" in message for message in after)


def test_a_stream_ends_with_its_lease_and_says_so(monkeypatch: Any) -> None:
    monkeypatch.setattr(live, "PULSE_SECONDS", 0.01)
    monkeypatch.setattr(live, "LEASE_SECONDS", 0.05)

    async def read() -> PageContent:
        return PageContent((), "")

    async def all_of() -> list[Message]:
        return [message async for message in started(make_context(), read).messages()]

    messages = asyncio.run(all_of())
    assert messages[-1]["again"] == 0
    assert not any("again" in message for message in messages[:-1])


def test_without_a_websocket_one_answer_says_when_to_ask_again() -> None:
    async def read() -> PageContent:
        return PageContent(pieces(a="1"), "h")

    message = asyncio.run(started(make_context(), read).read_once())
    assert message["again"] == live.POLL_SECONDS
    assert set(message["pieces"]) == {"a"}


def started(context: WebContext, read: ReadContent) -> Stream:
    """The stream of a browser that shows nothing."""
    return Stream(context, read, versions=Versions(), start=Browser().ask(listing=True))


keys = st.lists(st.sampled_from("abcdefg"), unique=True)
wards = st.lists(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.sampled_from("123")), unique_by=lambda row: row[0]
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(keys, keys)
def test_the_fewest_rows_are_moved(before: list[str], after: list[str]) -> None:
    difference = find_difference([(key, "") for key in before], [(key, "") for key in after])
    common = [before.index(key) for key in after if key in before]
    longest = max(
        (len(chosen) for size in range(len(common) + 1) for chosen in combinations(common, size)
         if list(chosen) == sorted(chosen)),
        default=0,
    )  # fmt: skip
    assert len(difference.places) == len(after) - longest
    assert set(difference.gone) == set(before) - set(after)


@given(wards, st.data())
def test_lost_messages_and_other_processes_are_noticed_and_repaired(
    ward: list[list[tuple[str, str]]], data: st.DataObject
) -> None:
    processes, place, context = [Versions(), Versions()], [0], make_context()
    browser = Browser()

    async def read() -> PageContent:
        rows = [
            make_parts(key, "row", [f"<p>{part}</p>" for part in (key, *int(text) * [text])])
            for key, text in ward[place[0]]
        ]
        return PageContent(rows, str(len(rows)))

    def connect(*, listing: bool = False) -> Stream:
        versions = data.draw(st.sampled_from(processes), label="process")
        if data.draw(st.integers(0, 5), label="restarted") == 0:
            versions._known.clear()
        return Stream(context, read, versions=versions, start=browser.ask(listing=listing))

    async def go() -> None:
        browser.load(await read(), processes[0])
        stream = connect()
        for number in range(len(ward)):
            place[0] = number
            message = await stream._refresh()
            if data.draw(st.booleans(), label="lost"):
                continue
            if not browser.take(message):
                stream = connect(listing=bool(message.get("unknown")))
        message = await stream._refresh()  # the last is not lost
        for _ in range(3):
            if browser.take(message):
                break
            message = await connect(listing=bool(message.get("unknown")))._refresh()
        assert browser.shown() == shows(await read())
        assert browser.head == (await read()).head

    asyncio.run(go())
