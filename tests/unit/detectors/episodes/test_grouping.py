"""One episode with parts in place of several: who leads, who joins, what is told of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.contract import BETWEEN, BEYOND, CLEAR, Finding, Rule, Stance
from detectors.episodes.grouping import TOGETHER_SECONDS
from detectors.episodes.memory import PatientEpisodes
from detectors.episodes.tracker import UNOBSERVED, Episodes, Step
from tests.support.vitals import detect, measured, moment, upload
from tests.unit.detectors.episodes.test_episodes import POLICY, rule
from vigil.domain.kinds import KINDS, PRIORITY_ORDER

EPISODES = Episodes(dict.fromkeys(KINDS, POLICY))
FAST = rule("fast", "heart_rate_high", "medium", seconds=0, readings=1)
LOW = rule("low", "blood_pressure_low", "high", seconds=0, readings=1, signal="systolic")
MEAN = rule("mean", "mean_arterial_pressure_low", "high", rank=1, seconds=0, readings=1,
            signal="mean_arterial_pressure")  # fmt: skip
UNUSUAL = rule("odd", "heart_rate_unusual", "low", rank=2, seconds=0, readings=1)
ODD_PRESSURE = rule("odd_bp", "blood_pressure_unusual", "low", rank=2, seconds=0, readings=1,
                    signal="systolic")  # fmt: skip
UNEVEN = rule("uneven", "heart_rate_irregular", "low", rank=1, seconds=0, readings=1)
TREND = rule("nights", "resting_heart_rate_raised", "low", rank=1, seconds=0, readings=1)
ALL = (FAST, LOW, MEAN, UNUSUAL, ODD_PRESSURE, UNEVEN, TREND)


class Story:
    """Moments one after another."""

    def __init__(self) -> None:
        self.episodes = PatientEpisodes({}, {})

    def now(self, time: float, *reported: Rule | tuple[Rule, Stance]) -> list[Step]:
        pairs = [(one, BEYOND) if isinstance(one, Rule) else one for one in reported]
        found = [Finding(of, stance, 130.0, 120.0, 110.0) for of, stance in pairs]
        return EPISODES.take_findings(self.episodes, found, moment(time))


def shown(steps: list[Step]) -> list[tuple[str, str, list[str]]]:
    return [(step.kind, step.phase, [part.kind for part in step.parts]) for step in steps]


def test_of_what_begins_together_the_most_urgent_leads_and_lists_the_rest() -> None:
    steps = Story().now(0, UNUSUAL, FAST, MEAN, LOW)
    parts = ["mean_arterial_pressure_low", "heart_rate_high", "heart_rate_unusual"]
    assert shown(steps) == [("blood_pressure_low", "opened", parts)]


def test_what_shares_neither_cause_nor_signal_stands_alone() -> None:
    high = rule("high", "blood_pressure_high", "medium", seconds=0, readings=1, signal="systolic")
    assert shown(Story().now(0, FAST, high)) == [
        ("blood_pressure_high", "opened", []),
        ("heart_rate_high", "opened", []),
    ]


def test_what_is_unusual_in_several_signals_at_once_is_one_episode() -> None:
    steps = Story().now(0, UNUSUAL, ODD_PRESSURE)
    assert shown(steps) == [("blood_pressure_unusual", "opened", ["heart_rate_unusual"])]


def test_a_part_that_joins_is_told_by_an_update_when_one_is_due() -> None:
    story = Story()
    story.now(0, LOW)
    assert story.now(60, LOW, FAST) == []
    assert story.now(240, LOW, FAST) == []
    (announced,) = story.now(300, LOW, FAST)
    assert (announced.kind, announced.phase, announced.episode.priority) == (
        "blood_pressure_low",
        "updated",
        "high",
    )
    (part,) = announced.parts
    assert (part.kind, part.rule, part.signal) == ("heart_rate_high", "fast", "heart_rate")
    assert (part.value, part.limit, part.since) == (130, 120, 60)
    assert story.now(900, LOW, FAST) == []  # once


def test_statistics_add_nothing_to_a_limit_and_wait_for_its_next_step() -> None:
    story = Story()
    story.now(0, FAST)
    assert story.now(600, FAST, UNUSUAL) == []
    (raised,) = story.now(660, FAST, UNUSUAL, rule("very", "heart_rate_high", "high", seconds=0,
                                                   readings=1))  # fmt: skip
    assert shown([raised]) == [("heart_rate_high", "updated", ["heart_rate_unusual"])]


def test_a_part_of_another_cause_is_told_though_it_is_low() -> None:
    story = Story()
    story.now(0, FAST)
    assert shown(story.now(300, FAST, UNEVEN)) == [
        ("heart_rate_high", "updated", ["heart_rate_irregular"])
    ]


def test_a_part_that_ends_is_listed_no_more() -> None:
    story = Story()
    story.now(0, LOW, MEAN)
    story.now(60, LOW, (MEAN, CLEAR))
    (closed, *_) = [step for t in (120, 240) for step in story.now(t, (LOW, CLEAR), (MEAN, CLEAR))]
    assert (closed.phase, closed.parts) == ("closed", ())


def test_a_part_opens_with_its_true_onset_when_the_lead_closes() -> None:
    story = Story()
    story.now(0, LOW)
    story.now(60, LOW, FAST)
    story.now(120, (LOW, CLEAR), FAST)
    closed, opened = story.now(240, (LOW, CLEAR), FAST)
    assert (closed.kind, closed.phase) == ("blood_pressure_low", "closed")
    assert (opened.kind, opened.phase, opened.episode.onset) == ("heart_rate_high", "opened", 60)
    assert story.episodes.by_kind["heart_rate_high"].part_of == ""


def test_a_part_that_becomes_more_urgent_takes_over() -> None:
    story = Story()
    story.now(0, FAST)
    (opened,) = story.now(60, FAST, LOW)
    assert (opened.kind, opened.phase) == ("blood_pressure_low", "opened")
    assert story.episodes.by_kind["heart_rate_high"].open


def test_a_trend_over_days_neither_hides_nor_is_hidden() -> None:
    story = Story()
    assert shown(story.now(0, TREND)) == [("resting_heart_rate_raised", "opened", [])]
    assert shown(story.now(60, TREND, UNUSUAL)) == [("heart_rate_unusual", "opened", [])]
    assert len(Story().now(0, TREND, FAST)) == 2


def test_an_episode_whose_signal_is_silent_hides_nothing() -> None:
    for later, kinds in ((TOGETHER_SECONDS, []), (TOGETHER_SECONDS + 1, ["heart_rate_high"])):
        story = Story()
        story.now(0, LOW)
        assert [step.kind for step in story.now(later, FAST) if step.phase == "opened"] == kinds


def test_the_parts_stand_in_the_evidence() -> None:
    low = {"systolic": 84.0, "diastolic": 50.0, "heart_rate": 118.0}
    lows = [{**low, "systolic": 84.0 + (i + 1) % 2} for i in range(3)]
    (opened, *_) = detect([upload(measured(i * 300.0, x, "rest")) for i, x in enumerate(lows)])
    assert opened.kind == "blood_pressure_low"
    kinds = [part["kind"] for part in opened.evidence["parts"]]
    assert kinds[:2] == ["mean_arterial_pressure_low", "shock_index_high"]
    assert opened.evidence["parts"][0] == {
        "kind": "mean_arterial_pressure_low", "rule": "mean_arterial_pressure_low",
        "signal": "mean_arterial_pressure", "priority": "high", "value": 61.0, "limit": 65,
        "since": "2026-03-02T00:00:00Z",
    }  # fmt: skip


def test_a_part_of_high_priority_is_announced_at_once_and_once() -> None:
    story = Story()
    story.now(0, LOW)
    (joined,) = story.now(60, LOW, MEAN)  # long before another update is due
    assert (joined.kind, joined.change) == ("blood_pressure_low", "joined")
    assert [part.kind for part in joined.parts] == ["mean_arterial_pressure_low"]
    assert story.now(600, LOW, MEAN) == []
    story.now(700, LOW, (MEAN, CLEAR))
    (again,) = story.now(1400, LOW, MEAN)
    assert again.change == "parts", "the same kind again"


def test_a_part_that_rises_to_high_priority_joins_as_such() -> None:
    story = Story()
    very = rule("very", "heart_rate_high", "high", seconds=0, readings=1)
    story.now(0, LOW, FAST)
    (joined,) = story.now(60, LOW, FAST, very)
    assert (joined.change, joined.parts[0].priority) == ("joined", "high")
    assert story.now(120, LOW, FAST, very) == []


def test_what_the_lead_was_opened_with_does_not_join_later() -> None:
    story = Story()
    assert len(story.now(0, LOW, MEAN)) == 1
    assert story.now(60, LOW, MEAN) == []


def test_what_an_older_state_announced_does_not_join_again() -> None:
    story = Story()
    story.now(0, LOW, MEAN)
    story.episodes.by_kind["blood_pressure_low"].joined = None
    assert story.now(60, LOW, MEAN) == []
    very = rule("very", "heart_rate_high", "high", seconds=0, readings=1)
    (joined,) = story.now(120, LOW, MEAN, very)
    assert joined.change == "joined"
    assert story.now(180, LOW, MEAN, very) == [], "the mean pressure was announced long ago"


def test_a_part_that_may_be_over_is_not_announced() -> None:
    """Between its limit and the end of it, it is listed as such, and no step is for it."""
    story = Story()
    story.now(0, LOW)
    story.now(60, LOW, FAST)
    story.now(300, (LOW, BETWEEN), (FAST, BETWEEN))
    assert story.now(400, LOW, (FAST, BETWEEN)) == []
    (announced,) = story.now(500, LOW, FAST)
    assert [(part.kind, part.within) for part in announced.parts] == [("heart_rate_high", False)]
    lower = rule("lower", "blood_pressure_low", "high", seconds=0, readings=1)
    (joined,) = story.now(600, LOW, lower, MEAN, (FAST, BETWEEN))
    assert {part.kind: part.within for part in joined.parts} == {
        "mean_arterial_pressure_low": False,
        "heart_rate_high": True,
    }


gaps = st.sampled_from([1.0, 60.0, 300.0, 601.0, 4000.0])
moments = st.lists(
    st.tuples(
        gaps, st.dictionaries(st.sampled_from(ALL), st.sampled_from([BEYOND, BETWEEN, CLEAR]))
    ),
    max_size=40,
)


@given(moments)
def test_the_laws_of_parts(script: list[tuple[float, dict[Rule, Stance]]]) -> None:
    story, time = Story(), 0.0
    joined: dict[tuple[str, float], set[str]] = {}
    for gap, reported in script:
        time += gap
        before = {k: w.priority for k, w in story.episodes.by_kind.items() if w.open}
        steps = story.now(time, *reported.items())
        by_kind = story.episodes.by_kind
        for step in steps:
            if step.phase == "updated" and step.change != "eased":
                assert PRIORITY_ORDER[step.episode.priority] <= PRIORITY_ORDER[before[step.kind]]
            assert all(not by_kind[part.kind].open for part in step.parts)
            assert all(part.since <= time for part in step.parts)
            urgent = {p.kind for p in step.parts if p.priority == "high" and not p.within}
            known_of = joined.setdefault((step.kind, step.episode.onset), set())
            if step.change == "joined":
                assert urgent - known_of, "nothing new of high priority"
            if step.change == "parts":
                assert not urgent - known_of
            if step.phase != "closed":
                known_of |= urgent
        known = {step.kind for step in steps if step.episode.reason != UNOBSERVED}
        begun = [step for step in steps if step.episode.reason != UNOBSERVED]
        assert len(known) == len(begun), "two steps of one kind at once"
        for episode in by_kind.values():
            assert not (episode.open and episode.part_of), "a part of something, and told itself"
            assert not episode.part_of or by_kind[episode.part_of].open, "a part of nothing"
        opened = {step.kind for step in steps if step.phase == "opened"}
        beyond = {one.kind for one in reported if reported[one] == BEYOND}
        assert opened <= beyond
        for kind in beyond:
            own = by_kind.get(kind)
            at_its_end = time <= story.episodes.ended.get(kind, -1)
            assert at_its_end if own is None else own.open or own.part_of
