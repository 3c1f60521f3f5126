"""Every scenario of the library, offline: what is announced, when, and whom it pages."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import NamedTuple

import pytest

from explain.templates.compose import compose
from tests.support.scenarios.form import Scenario, library
from tests.support.scenarios.playing import Step, play
from tests.support.scenarios.sending import send
from vigil.domain.kinds import KINDS, PRIORITY_ORDER
from vigil.values import timestamps

SCENARIOS = library()
FAMILIES = Counter(scenario.name.partition("/")[0] for scenario in SCENARIOS)


class Line(NamedTuple):
    """A line of ``announced``."""

    at: datetime
    kind: str
    step: str
    priority: str
    pages: bool
    late: bool
    since: datetime | None
    ended: datetime | None


def lines(scenario: Scenario) -> list[Line]:
    """What a file states must be announced."""
    found = []
    for text in scenario.announced.strip().splitlines():
        at, kind, step, priority, *rest = text.split()
        assert kind in KINDS, text
        assert priority in PRIORITY_ORDER, text
        more = iter(rest)
        flags, times = set(), {}
        for word in more:
            if word in {"since", "ended"}:
                times[word] = timestamps.parse(next(more))
            else:
                assert word in {"pages", "late"}, text
                flags.add(word)
        found.append(
            Line(
                timestamps.parse(at), kind, step, priority, "pages" in flags, "late" in flags,
                times.get("since"), times.get("ended"),
            )
        )  # fmt: skip
    return found


def as_line(step: Step) -> Line:
    """What was announced, in the same form."""
    event = step.event
    return Line(
        event.detected_at, event.kind, step.name(), event.priority, step.paged,
        event.retrospective, event.onset, event.ended_at,
    )  # fmt: skip


def written(line: Line) -> str:
    """A line as a file has it."""
    words = [_short(line.at), line.kind, line.step, line.priority]
    words += ["pages"] * line.pages + ["late"] * line.late
    if line.since is not None:
        words += ["since", _short(line.since)]
    if line.ended is not None:
        words += ["ended", _short(line.ended)]
    return " ".join(words)


def _short(moment: datetime) -> str:
    text = moment.isoformat().replace("+00:00", "")
    return (text.removesuffix(":00") if moment.second == 0 else text) + "Z"


def parametrised() -> list[object]:
    """Each with its name; one with a known fault must fail."""
    return [
        pytest.param(
            one,
            id=one.name,
            marks=[pytest.mark.xfail(reason=one.fault, strict=True)] if one.fault else [],
        )
        for one in SCENARIOS
    ]


@pytest.mark.parametrize("scenario", parametrised())
def test_scenario(scenario: Scenario) -> None:
    sent = send(scenario)
    assert dict(sent.refused) == scenario.refused
    if scenario.taken is not None:
        assert sent.taken == scenario.taken
    steps = play(scenario, sent.uploads)
    found = [as_line(one) for one in steps if one.event.kind not in scenario.besides]
    stated = lines(scenario)
    shown = [  # only what the file states of a step is compared
        one._replace(since=want.since and one.since, ended=want.ended and one.ended)
        for one, want in zip(found, stated, strict=False)
    ]
    assert [*map(written, shown + found[len(shown) :])] == [*map(written, stated)]
    texts = " ".join(
        f"{text.title} {text.body}"
        for one in steps
        for audience in compose(one.event).texts.values()
        for text in [audience["en"]]
    )
    for words in scenario.words:
        assert words in texts
    for words in scenario.not_words:
        assert words not in texts


def test_there_are_twenty_kinds_with_five_siblings_each() -> None:
    assert len(FAMILIES) >= 20
    assert min(FAMILIES.values()) >= 5, FAMILIES


def test_no_two_scenarios_are_the_same() -> None:
    assert len({one.title for one in SCENARIOS}) == len(SCENARIOS)
    inputs = {(str(one.deliveries()), str(one.tables()), one.acknowledged, one.published,
               str(one.withdrawn), one.door, one.assigned) for one in SCENARIOS}  # fmt: skip
    assert len(inputs) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_clinician_can_read_it(scenario: Scenario) -> None:
    assert scenario.reason.endswith(".")
    assert scenario.reason.count(". ") == 0, "one sentence"
    assert len(scenario.title) <= 72
