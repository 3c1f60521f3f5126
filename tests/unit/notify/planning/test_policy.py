"""Who is notified of what: laws that hold for every alert, and the cases that the table names."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.planning import policy
from notify.planning.policy import EVERYBODY, STAFF, Page
from tests.support.notify_examples import NOW, action, alert
from vigil.domain.alert import Alert
from vigil.domain.kinds import KINDS, PRIORITY_ORDER

priorities = st.sampled_from(["high", "medium", "low"])
notified = st.sampled_from([None, "high", "medium"])
alerts = st.builds(
    lambda kind, phase, priority, retrospective, synthetic, sequence: alert(
        kind=kind.name,
        category=kind.category,
        phase=phase,
        priority=priority,
        retrospective=retrospective,
        synthetic=synthetic,
        sequence=sequence,
    ),
    st.sampled_from(list(KINDS.values())),
    st.sampled_from(["opened", "updated", "closed"]),
    priorities,
    st.booleans(),
    st.booleans(),
    st.integers(0, 50),
)


@given(alerts, notified, st.booleans())
def test_closed_retrospective_technical_and_low_page_nobody(one, before, demo) -> None:  # type: ignore[no-untyped-def]
    silent = (
        one.phase == "closed"
        or one.retrospective
        or one.category == "technical"
        or one.priority == "low"
    )
    if silent:
        assert policy.page_for_alert(one, before, demo) is None


@given(alerts, notified)
def test_synthetic_data_page_nobody_outside_the_demo(one: Alert, before) -> None:  # type: ignore[no-untyped-def]
    if one.synthetic:
        assert policy.page_for_alert(one, before, demo=False) is None
    real = msgspec.structs.replace(one, synthetic=False)
    assert policy.page_for_alert(real, before, demo=False) == policy.page_for_alert(
        one, before, demo=True
    )


@given(st.lists(alerts, max_size=12))
def test_an_episode_is_notified_once_at_each_priority_and_the_patient_once(
    steps: list[Alert],
) -> None:
    level, pages = None, []
    for step in steps + steps:  # the second time is a batch that comes again
        page = policy.page_for_alert(step, level, demo=True)
        if page is not None:
            level = page.priority
            pages.append(page)
    assert len(pages) <= 2
    assert [p.channels for p in pages] in ([], [EVERYBODY], [EVERYBODY, STAFF])
    ranks = [PRIORITY_ORDER[p.priority] for p in pages]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == len(ranks)


@given(alerts)
def test_whatever_may_page_does_page_the_first_time(one: Alert) -> None:
    page = policy.page_for_alert(one, None, demo=True)
    loud = (
        one.category == "clinical"
        and one.phase != "closed"
        and not one.retrospective
        and one.priority in {"high", "medium"}
    )
    assert (page is not None) == loud
    if page is not None:
        assert page.channels == EVERYBODY
        assert page.priority == one.priority


@pytest.mark.parametrize(
    ("changes", "before", "page"),
    [
        ({"priority": "high"}, None, Page("opened", "high", EVERYBODY)),
        ({"priority": "medium"}, None, Page("opened", "medium", EVERYBODY)),
        ({"priority": "low"}, None, None),
        # opened low, then worse: the first time that it matters
        ({"phase": "updated", "sequence": 1}, None, Page("raised", "medium", EVERYBODY)),
        (
            {"phase": "updated", "sequence": 1, "priority": "high"},
            "medium",
            Page("raised", "high", STAFF),
        ),
        ({"phase": "updated", "sequence": 1}, "medium", None),
        ({"phase": "updated", "sequence": 2}, "high", None),
        ({"phase": "closed", "sequence": 3, "priority": "high"}, "medium", None),
        ({"revision": 1}, "medium", None),  # better text for the same step
    ],
)
def test_the_table(changes, before, page) -> None:  # type: ignore[no-untyped-def]
    assert policy.page_for_alert(alert(**changes), before, demo=False) == page


@pytest.mark.parametrize(
    ("verb", "reason"),
    [("need_help", "need_help"), ("escalate", "escalated"), ("ok", None), ("comment", None)],
)
def test_a_call_for_help_notifies_staff_with_high_priority(verb: str, reason: str | None) -> None:
    page = policy.page_for_action(action(verb))
    assert page == (Page(reason, "high", STAFF) if reason else None)  # type: ignore[arg-type]


def test_staff_acknowledge_and_patients_do_not() -> None:
    assert policy.is_acknowledgement(action("acknowledge"))
    assert policy.is_acknowledgement(action("resolve"))
    assert not policy.is_acknowledgement(action("comment"))
    assert not policy.is_acknowledgement(action("ok"))
    assert not policy.is_acknowledgement(action("acknowledge", actor="patient"))


def test_only_a_clinical_episode_ends() -> None:
    assert policy.ends_episode(alert(phase="closed"))
    assert not policy.ends_episode(alert(phase="updated"))
    assert not policy.ends_episode(alert(phase="closed", category="technical", kind="no_data"))


def test_the_more_urgent_stays_useful_for_longer() -> None:
    ends = [policy.expires_at(NOW, p) for p in ("high", "medium", "low")]
    assert ends == sorted(ends, reverse=True)
    assert min(ends) > NOW
