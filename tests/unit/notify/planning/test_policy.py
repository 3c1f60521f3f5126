"""Who is notified of what: laws that hold for every alert, and the cases that the table names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.planning import policy
from notify.planning.policy import EVERYBODY, EXPIRES_AFTER, STAFF, Page
from store.notifications.notified_episodes import UNKNOWN, PagedEpisode
from tests.support.notify_examples import NOW, action, alert
from vigil.domain.alert import Alert, is_history
from vigil.domain.kinds import KINDS, PRIORITY_ORDER, Priority

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CHANGES = ("", "raised", "worse", "joined", "continues", "eased", "parts", "something new")
priorities = st.sampled_from(["high", "medium", "low"])
notified = st.sampled_from([None, "high", "medium", "low"])
alerts = st.builds(
    lambda kind, **rest: alert(kind=kind.name, category=kind.category, **rest),
    st.sampled_from(list(KINDS.values())),
    phase=st.sampled_from(["opened", "updated", "closed"]),
    priority=priorities,
    retrospective=st.booleans(),
    synthetic=st.booleans(),
    sequence=st.integers(0, 50),
    change=st.sampled_from(CHANGES),
    time_uncertain=st.booleans(),
)
moments = st.integers(0, 600).map(lambda n: NOW + n * MINUTE)
known = st.builds(
    PagedEpisode,
    notified=notified,
    sequence=st.integers(-1, 20),
    paged_at=st.none() | moments,
    acknowledged_at=st.none() | moments,
    patient_notified=st.booleans(),
)


def page_of(one: Alert, before: PagedEpisode, published: datetime = NOW) -> Page | None:
    return policy.decide(one, published, before, demo=True).page


@given(alerts, known)
def test_closed_retrospective_technical_and_low_page_nobody(one: Alert, before) -> None:  # type: ignore[no-untyped-def]
    silent = (
        one.phase == "closed"
        or one.retrospective
        or one.category == "technical"
        or one.priority == "low"
    )
    if silent:
        assert page_of(one, before) is None


@given(alerts, known)
def test_synthetic_data_page_nobody_outside_the_demo(one: Alert, before) -> None:  # type: ignore[no-untyped-def]
    if one.synthetic:
        assert policy.decide(one, NOW, before, demo=False).page is None
    real = msgspec.structs.replace(one, synthetic=False)
    assert policy.decide(real, NOW, before, demo=False).page == page_of(one, before)


@given(alerts, known, st.integers(0, 100_000).map(timedelta))
def test_history_pages_nobody_unless_the_clock_is_wrong(
    one: Alert, before: PagedEpisode, age: timedelta
) -> None:
    late = EXPIRES_AFTER[one.priority] + age
    past = msgspec.structs.replace(one, time=NOW - late - MINUTE)
    if one.time_uncertain:
        assert page_of(past, before) == page_of(one, before)
    else:
        assert page_of(past, before) is None
        before_it = msgspec.structs.replace(one, time=NOW - EXPIRES_AFTER[one.priority])
        assert page_of(before_it, before) == page_of(one, before), "useful to the last minute"


# A whole episode --------------------------------------------------------------------------------

Story = list[tuple[Alert, datetime]]
Messages = Sequence[tuple[Alert, datetime] | datetime]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """The steps of an episode, each published minutes after the one before."""
    steps: Story = []
    published = NOW
    for sequence in range(draw(st.integers(1, 8))):
        published += draw(st.integers(1, 90)) * MINUTE
        step = alert(
            phase="updated" if sequence else "opened",
            sequence=sequence,
            priority=draw(priorities),
            change=draw(st.sampled_from(CHANGES)) if sequence else "",
            time=published - draw(st.sampled_from([0, 0, 0, 300])) * MINUTE,
        )
        steps.append((step, published))
    return steps


acknowledgements = st.lists(st.integers(0, 700).map(lambda n: NOW + n * MINUTE), max_size=4)


def play(
    messages: Messages, state: PagedEpisode = UNKNOWN
) -> tuple[set[tuple[int, Page]], PagedEpisode]:
    """Steps and acknowledgements in the order of reading → the pages, by sequence."""
    pages = set()
    for message in messages:
        if isinstance(message, datetime):
            late = state.worsening
            decision = policy.decide_acknowledged(message, state)
            if decision.page:
                assert late is not None
                pages.add((late.sequence, decision.page))
        else:
            step, published = message
            decision = policy.decide(step, published, state, demo=True)
            if decision.page:
                pages.add((step.sequence, decision.page))
        state = decision.known
    return pages, state


def in_time(story: Story, acks: list[datetime]) -> list[tuple[Alert, datetime] | datetime]:
    events = [(at, 1, (step, at)) for step, at in story] + [(at, 0, at) for at in acks]
    return [message for *_, message in sorted(events, key=lambda event: event[:2])]


@given(stories(), acknowledgements)
def test_what_is_read_again_pages_nobody(story: Story, acks: list[datetime]) -> None:
    once, known_then = play(in_time(story, acks))
    several: tuple[Messages, ...] = (story, [*acks, *story], [*story, *acks])
    for again in several:
        assert play(again, known_then) == (set(), known_then)
    assert len({sequence for sequence, _ in once}) == len(once), "each step pages once at most"


@given(stories())
def test_the_patient_is_paged_first_and_of_what_continues(story: Story) -> None:
    pages = [page for _, page in sorted(play(story)[0], key=lambda found: found[0])]
    assert all(page.channels == EVERYBODY for page in pages[:1])
    for page in pages[1:]:
        assert page.channels == (EVERYBODY if page.reason == "continues" else STAFF)


@given(stories())
def test_every_rise_pages_also_after_a_fall(story: Story) -> None:
    """What people know of is the present level: whatever is more urgent pages, and the level that
    they know of is never less urgent than the last step."""
    state = UNKNOWN
    for step, published in story:
        decision = policy.decide(step, published, state, demo=True)
        before, state = state, decision.known
        loud = policy.may_page(step, published, demo=True)
        rises = before.notified is None or (
            PRIORITY_ORDER[step.priority] < PRIORITY_ORDER[before.notified]
        )
        if loud and rises:
            assert decision.page is not None
            assert decision.page.priority == step.priority
        if state.notified is not None and not is_history(step, published):
            assert state.notified == step.priority


@given(stories(), acknowledgements, st.randoms(use_true_random=False))
def test_the_topics_may_be_read_in_any_order(story: Story, acks: list[datetime], order) -> None:  # type: ignore[no-untyped-def]
    """The alerts are in order, and acknowledgements come when they come. A worsening pages if staff
    acknowledged the last page before it, whenever that is read; unless they acknowledged the
    worsening itself, or something later has paged."""
    right, _ = play(in_time(story, acks))
    mixed: list[tuple[Alert, datetime] | datetime] = list(story)
    for at in acks:
        mixed.insert(order.randrange(len(mixed) + 1), at)
    found, state = play(mixed)
    waits = {"worse", "joined"}
    sure = {(n, page) for n, page in right if page.reason not in waits}
    assert {(n, page) for n, page in found if page.reason not in waits} == sure
    newest = max(acks, default=None)
    for sequence, page in right - found:
        published = story[sequence][1]
        assert page.reason in waits
        later = [n for n, _ in found if n > sequence]
        assert later or (newest is not None and newest >= published)
    assert state.acknowledged_at == newest


@given(alerts)
def test_whatever_may_page_does_page_the_first_time(one: Alert) -> None:
    page = page_of(one, UNKNOWN)
    assert (page is not None) == policy.may_page(one, NOW, demo=True)
    if page is not None:
        assert page.channels == EVERYBODY
        assert page.priority == one.priority


AT_MEDIUM = PagedEpisode(notified="medium", sequence=0, paged_at=NOW - HOUR, patient_notified=True)
ACKNOWLEDGED = replace(AT_MEDIUM, acknowledged_at=NOW - HOUR / 2)
UPDATED: dict[str, Any] = {"phase": "updated", "sequence": 1}
CORRECTED: dict[str, Any] = {**UPDATED, "change": "corrected", "corrected": "wrong_patient"}


@pytest.mark.parametrize(
    ("changes", "before", "page"),
    [
        ({"priority": "high"}, UNKNOWN, Page("opened", "high", EVERYBODY)),
        ({"priority": "medium"}, UNKNOWN, Page("opened", "medium", EVERYBODY)),
        ({"priority": "low"}, UNKNOWN, None),
        # opened low, then worse: the first time that it matters
        (UPDATED, UNKNOWN, Page("raised", "medium", EVERYBODY)),
        # opened as history, and still there now
        ({**UPDATED, "change": "continues"}, UNKNOWN, Page("continues", "medium", EVERYBODY)),
        ({**UPDATED, "priority": "high"}, AT_MEDIUM, Page("raised", "high", STAFF)),
        (UPDATED, AT_MEDIUM, None),
        ({**UPDATED, "change": "parts"}, ACKNOWLEDGED, None),
        ({**UPDATED, "change": "eased"}, replace(ACKNOWLEDGED, notified="high"), None),
        # worse: only what staff had acknowledged since the last page
        ({**UPDATED, "change": "worse"}, AT_MEDIUM, None),
        ({**UPDATED, "change": "worse"}, ACKNOWLEDGED, Page("worse", "medium", STAFF)),
        (
            {**UPDATED, "change": "worse"},
            replace(ACKNOWLEDGED, acknowledged_at=NOW - 2 * HOUR),
            None,
        ),
        ({**UPDATED, "change": "worse"}, replace(ACKNOWLEDGED, acknowledged_at=NOW), None),
        # a further finding of high priority: likewise; any other pages nobody
        ({**UPDATED, "change": "joined"}, AT_MEDIUM, None),
        ({**UPDATED, "change": "joined"}, ACKNOWLEDGED, Page("joined", "medium", STAFF)),
        ({**UPDATED, "change": "joined"}, replace(ACKNOWLEDGED, acknowledged_at=NOW), None),
        ({**UPDATED, "change": "joined"}, UNKNOWN, Page("continues", "medium", EVERYBODY)),
        # continues: acknowledged or not
        ({**UPDATED, "change": "continues"}, AT_MEDIUM, Page("continues", "medium", EVERYBODY)),
        ({**UPDATED, "change": "continues"}, ACKNOWLEDGED, Page("continues", "medium", EVERYBODY)),
        (
            {**UPDATED, "change": "continues"},
            replace(ACKNOWLEDGED, patient_notified=False),
            Page("continues", "medium", STAFF),
        ),
        ({**UPDATED, "change": "continues", "priority": "low"}, AT_MEDIUM, None),
        # a fall that was not read in between
        ({**UPDATED, "change": "raised"}, AT_MEDIUM, Page("raised", "medium", STAFF)),
        ({"phase": "closed", "sequence": 3, "priority": "high"}, AT_MEDIUM, None),
        ({"revision": 1, "priority": "high"}, AT_MEDIUM, None),  # better text for the same step
        # lower without withdrawn readings: whoever was paged, once; other figures alone: nobody
        (CORRECTED, replace(AT_MEDIUM, notified="high"), Page("corrected", "medium", EVERYBODY)),
        ({**CORRECTED, "phase": "closed"}, AT_MEDIUM, Page("corrected", "medium", EVERYBODY)),
        ({**CORRECTED, "priority": "low"}, AT_MEDIUM, Page("corrected", "low", EVERYBODY)),
        ({**CORRECTED, "corrected": ""}, replace(AT_MEDIUM, notified="high"), None),
        (CORRECTED, UNKNOWN, None),
        (CORRECTED, replace(AT_MEDIUM, sequence=1), None),
    ],
)
def test_the_table(changes, before, page) -> None:  # type: ignore[no-untyped-def]
    assert policy.decide(alert(**changes), NOW, before, demo=False).page == page


def test_a_rise_after_a_fall_pages_again() -> None:
    steps: list[tuple[Priority, str]] = [
        ("high", ""),
        ("medium", "eased"),
        ("high", "raised"),
        ("low", "eased"),
        ("medium", "raised"),
    ]
    story = [
        (alert(phase="updated" if n else "opened", sequence=n, priority=p, change=c), NOW)
        for n, (p, c) in enumerate(steps)
    ]
    pages = sorted(play(story)[0], key=lambda found: found[0])
    assert [(n, page.reason) for n, page in pages] == [(0, "opened"), (2, "raised"), (4, "raised")]


@pytest.mark.parametrize("change", ["worse", "joined"])
def test_an_acknowledgement_read_after_the_step_that_it_precedes_pages_it(change: Any) -> None:
    worse = alert(**UPDATED, change=change), NOW + 10 * MINUTE
    story: list[tuple[Alert, datetime] | datetime] = [(alert(), NOW), worse]
    assert play([*story, NOW + 5 * MINUTE])[0] == {
        (0, Page("opened", "medium", EVERYBODY)),
        (1, Page(change, "medium", STAFF)),
    }
    assert len(play([*story, NOW + 15 * MINUTE, NOW + 5 * MINUTE])[0]) == 1, "seen since"
    assert len(play([*story, NOW - MINUTE])[0]) == 1, "before the first page"


@pytest.mark.parametrize(
    ("verb", "reason"),
    [("need_help", "need_help"), ("escalate", "escalated"), ("ok", None), ("comment", None)],
)
def test_a_call_for_help_notifies_staff_with_high_priority(verb: str, reason: str | None) -> None:
    page = policy.page_for_action(action(verb))
    assert page == (Page(reason, "high", STAFF) if reason else None)  # type: ignore[arg-type]


def test_staff_acknowledge_and_patients_do_not() -> None:
    assert policy.is_acknowledgement(action("acknowledge"))
    assert policy.is_acknowledgement(action("snooze"))
    assert policy.is_acknowledgement(action("resolve"))
    assert not policy.is_acknowledgement(action("comment"))
    assert not policy.is_acknowledgement(action("ok"))
    assert not policy.is_acknowledgement(action("acknowledge", actor="patient"))


def test_only_a_clinical_episode_ends() -> None:
    assert policy.ends_episode(alert(phase="closed"))
    assert not policy.ends_episode(alert(phase="updated"))
    assert not policy.ends_episode(alert(phase="closed", category="technical", kind="no_data"))
    assert not policy.ends_episode(alert(phase="closed", change="unobserved"))


def test_the_more_urgent_stays_useful_for_longer() -> None:
    ends = [policy.expires_at(NOW, p) for p in ("high", "medium", "low")]
    assert ends == sorted(ends, reverse=True)
    assert min(ends) > NOW
