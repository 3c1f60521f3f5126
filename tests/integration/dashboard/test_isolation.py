"""Names, wards, labels and comments with marks of direction, on every page that there is.

The pages are found by the application's routes, and the templates in their folders.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jinja2 import nodes

import dashboard.phone.pages
from cli.services import web_app
from dashboard.service import build
from dashboard.shell import templating
from dashboard.shell.templating import environment
from tests.integration.dashboard.conftest import PASSWORD, Board, form_token
from tests.support.crawl import addresses, pages
from vigil.domain.episode import Event
from vigil.values.bidi import FSI, PDI

MARK = "Qqzjx"
"""Begins whatever somebody typed; nothing else on a page has it."""
NAME, WARD, USER, COMMENT, LABEL = (f"{MARK}{what}\u202e x" for what in "pwucl")
VOID = frozenset({"meta", "link", "input", "img", "br", "path", "circle", "hr", "source"})
UNSEEN = frozenset({"value", "href", "action", "src", "content", "name", "id"})
"""Attributes that are no text of the page; a field's value is a paragraph of its own."""
TYPED = frozenset(
    {"display_name", "ward", "comment", "acknowledged_by", "by", "label", "actor", "who"}
)
"""Attributes and variables of templates that hold what somebody typed …"""
REVIEWED = frozenset({"fact.label", "ground.label", "vital.label", "label", "message.comment"})
"""… but for these, which are of a table of ours, or an input's value, sent back as it was typed."""
KEPT = frozenset({"bdi", "isolated", "path"})


class Reader(HTMLParser):
    """Finds what somebody typed outside an element or marks that isolate it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.title = ""
        self.found = 0
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if MARK in (value or "") and name not in UNSEEN and not name.startswith("data-"):
                self._plain(value or "", f"{tag} {name}")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["title"]:
            self.title += data
        if MARK in data and "bdi" not in self.open:
            self._plain(data, " ".join(self.open[-3:]))
        self.found += data.count(MARK)

    def _plain(self, text: str, where: str) -> None:
        before, rest = text.split(MARK, 1)
        if not before.endswith(FSI) or not rest.split(PDI)[0].endswith("x\u202c"):
            self.faults.append(f"{where}: {text!r}")


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


@pytest.fixture(scope="module")
def event(board: Board) -> Event:
    """One of everything that a person can name."""
    with board.seed() as seed:
        seed.user("quinn", PASSWORD, "admin", USER)
        for patient_id in ("q1", "q2"):
            seed.patient(patient_id, NAME, WARD)
            seed.readings(patient_id, lambda before: 72 + before / 60)
        seed.device("qd", "q1", LABEL)
        announced = seed.episode("q1", "heart_rate_high", priority="high")
        over = seed.episode("q2", "heart_rate_low", priority="high")
        seed.action(over, "acknowledge", "quinn")
        seed.action(announced, "need_help", "patient")
        seed.action(announced, "comment", "quinn", comment=COMMENT)
    return announced


def every_page(board: Board, event: Event) -> Iterator[tuple[str, str]]:
    api = web_app([build(board.settings)], board.settings)
    values = {
        "patient_id": "q1",
        "episode_id": event.episode_id,
        "phrase_id": "none",
        "code": "none",
    }
    wanted = addresses(api, values)
    wanted += ["/board/summary?patient=q1", "/board/?ward=" + WARD, "/board/patient/q2",
               "/board/summary?ward=" + WARD]  # fmt: skip
    with board.workers(), board.sign_in("quinn") as client:
        for address, answer in pages(client, wanted):
            yield address, answer.text
        csrf = form_token(client.get("/board/patient/q1").text)
        link = client.post("/board/patient/q1/phone", data={"csrf": csrf})
        yield "/board/patient/q1/phone", link.text


def test_on_no_page_does_a_name_turn_the_text_around_it(board: Board, event: Event) -> None:
    seen = {address: read(html) for address, html in every_page(board, event)}
    assert not {address: page.faults for address, page in seen.items() if page.faults}
    for address, least in (
        ("/board/", 5), ("/board/patient/q1", 3), ("/board/patient/q2", 3), ("/board/admin", 6),
        ("/board/summary", 2), ("/board/summary?patient=q1", 2), ("/board/patient/q1/phone", 1),
        (f"/board/patient/q1/questions/{event.episode_id}", 2),
    ):  # fmt: skip
        assert seen[address].found >= least, address


def test_no_patients_name_is_in_a_title(board: Board, event: Event) -> None:
    titles = {address: read(html).title for address, html in every_page(board, event)}
    assert all(titles.values())
    assert not {address for address, title in titles.items() if f"{MARK}p" in title}
    assert "patient q1" in titles["/board/patient/q1"].casefold()


def _templates() -> list[tuple[Any, str]]:
    folders = (
        (environment(), templating.TEMPLATES),
        (dashboard.phone.pages.environment(), dashboard.phone.pages.FOLDER / "templates"),
    )
    return [
        (made, path.relative_to(folder).as_posix())
        for made, folder in folders
        for path in sorted(Path(folder).rglob("*.html"))
    ]


def _typed(node: nodes.Node, kept: bool = False) -> Iterator[str]:
    """What is written out of what somebody typed, without a filter that isolates it."""
    if isinstance(node, nodes.Filter):
        kept = kept or node.name in KEPT
    if isinstance(node, nodes.Getattr) and not kept:
        whole = f"{node.node.name}.{node.attr}" if isinstance(node.node, nodes.Name) else node.attr
        if node.attr in TYPED and whole not in REVIEWED:
            yield whole
    if isinstance(node, nodes.Name) and not kept and node.name in TYPED - REVIEWED:
        yield node.name
    if isinstance(node, nodes.Getattr | nodes.Call):  # a macro writes what it is given itself
        return
    if isinstance(node, nodes.CondExpr):  # what it asks is not written
        children: list[nodes.Node] = [n for n in (node.expr1, node.expr2) if n is not None]
    else:
        children = list(node.iter_child_nodes())
    for child in children:
        yield from _typed(child, kept)


@pytest.mark.parametrize(("made", "name"), _templates(), ids=lambda value: str(value)[:30])
def test_no_template_writes_what_somebody_typed_as_it_is(made: Any, name: str) -> None:
    tree = made.parse((Path(made.loader.searchpath[0]) / name).read_text())
    found = [
        typed
        for output in tree.find_all(nodes.Output)
        for child in output.nodes
        if not isinstance(child, nodes.TemplateData)
        for typed in _typed(child)
    ]
    assert not found
