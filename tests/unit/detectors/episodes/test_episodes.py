"""Episodes: delay, hysteresis, priority, inhibition, and the laws that any sequence keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.contract import BETWEEN, BEYOND, CLEAR, MUTED, Finding, Rule, Stance
from detectors.episodes.configuration import EpisodePolicy
from detectors.episodes.memory import EpisodesByKind, PatientEpisodes
from detectors.episodes.severity import Change
from detectors.episodes.tracker import Episodes, Step
from tests.support.vitals import moment
from vigil.domain.episode import Phase
from vigil.domain.kinds import PRIORITY_ORDER, Priority
from vigil.domain.reading import Activity

POLICY = EpisodePolicy(
    gap_seconds=600,
    unobserved_seconds=6000,
    observed_gap_seconds=180,
    clear_seconds=120,
    clear_readings=2,
    ease_seconds=600,
    update_step=10,
    update_seconds=300,
)
KINDS = ("heart_rate_high", "heart_rate_unusual", "shock_index_high", "blood_pressure_high")
EPISODES = Episodes(dict.fromkeys((*KINDS, "sensor_fault"), POLICY))


def rule(name: str = "r", kind: str = "heart_rate_high", priority: Priority = "medium",
         rank: int = 0, seconds: float = 120, readings: int = 2, unknown: float = 600,
         signal: str = "heart_rate") -> Rule:  # fmt: skip
    return Rule(
        name=name, detector="test", kind=kind, signal=signal, direction="above", priority=priority,
        rank=rank, seconds=seconds, unknown_seconds=unknown, readings=readings,
    )  # fmt: skip


MILD = rule()
SEVERE = rule("severe", priority="high", seconds=60)


Found = tuple[Rule, Stance, float]
Findings = list[tuple[float, list[Found]]]
Script = Iterable[tuple[float, Sequence[Found]]]


def play(
    script: Script, activity: Activity = "rest"
) -> tuple[list[tuple[float, Step]], EpisodesByKind]:
    """(second, findings) → (second, step) and what is pending or open at the end."""
    episodes = PatientEpisodes({}, {})
    steps = []
    for time, findings in script:
        found = [Finding(r, stance, value, 120, 110) for r, stance, value in findings]
        steps += [
            (time, s) for s in EPISODES.take_findings(episodes, found, moment(time, activity))
        ]
    return steps, episodes.by_kind


def phases(script: Script, activity: Activity = "rest") -> list[tuple[float, str]]:
    return [(time, step.phase) for time, step in play(script, activity)[0]]


def run(stances: str, every: float = 60.0, of: Rule = MILD) -> list[tuple[float, list[Found]]]:
    """``B`` beyond, ``-`` between, ``.`` clear, ``m`` muted, space: no reading."""
    meaning: dict[str, Stance] = {"B": BEYOND, "-": BETWEEN, ".": CLEAR, "m": MUTED}
    return [
        (i * every, [(of, meaning[char], 125.0)]) for i, char in enumerate(stances) if char != " "
    ]


@pytest.mark.parametrize(
    ("stances", "steps"),
    [
        ("BB", []),
        ("BBB", [(120, "opened")]),
        ("BB.BBB", [(300, "opened")]),  # clear begins anew
        ("B-B", [(120, "opened")]),  # between does not
        ("B---B", []),  # but most of the run must be beyond
        ("BB-", []),  # and the present reading
        ("BBmBBB", [(300, "opened")]),  # what cannot be judged does not count
        ("BB" + " " * 11 + "BBB", [(900, "opened")]),  # nor does what lies too far back
        ("BBB..", [(120, "opened")]),
        ("BBB...", [(120, "opened"), (300, "closed")]),
        ("BBB..B...", [(120, "opened"), (480, "closed")]),  # one episode, not two
        ("BBB-----", [(120, "opened")]),
        ("BBB.-.-.", [(120, "opened"), (300, "closed")]),
        ("BBB" + " " * 90 + "...", [(120, "opened"), (5700, "closed")]),
        ("BBB" + " " * 101 + "...", [(120, "opened"), (6240, "closed")]),  # unobserved
        ("BBB" + " " * 101 + "BBB", [(120, "opened"), (6240, "closed"), (6360, "opened")]),
        ("BBB...BBB", [(120, "opened"), (300, "closed"), (480, "opened")]),
        ("BBBmmm", [(120, "opened")]),
    ],
)
def test_when_it_opens_and_closes(stances: str, steps: list[tuple[float, str]]) -> None:
    assert phases(run(stances)) == [(float(time), phase) for time, phase in steps]


def test_unknown_activity_waits_longer() -> None:
    assert phases(run("B" * 11), "unknown") == [(600, "opened")]


def test_it_ends_when_it_first_was_clear() -> None:
    steps, by_kind = play(run("BBB.-.."))
    assert steps[-1][1].ended_at == 180
    assert by_kind == {}


def test_onset_is_the_first_reading_beyond() -> None:
    steps, _ = play([(1000 + t, f) for t, f in run("BBB")])
    assert steps[0][1].episode.onset == 1000
    assert steps[0][1].episode.samples == 3


def both(mild: Stance, severe: Stance, value: float) -> list[tuple[Rule, Stance, float]]:
    return [(MILD, mild, value), (SEVERE, severe, value)]


def test_a_severe_value_opens_sooner_and_raises_the_priority_once() -> None:
    sooner = [(0.0, both(BEYOND, BEYOND, 155)), (60.0, both(BEYOND, BEYOND, 156))]
    steps, _ = play(sooner)
    assert [(t, s.phase, s.episode.priority) for t, s in steps] == [(60, "opened", "high")]
    rising = [
        *[(t * 60.0, both(BEYOND, BETWEEN, 130)) for t in range(4)],
        *[(t * 60.0, both(BEYOND, BEYOND, 155)) for t in range(4, 9)],
        *[(t * 60.0, both(BEYOND, BETWEEN, 130)) for t in range(9, 12)],
    ]
    steps, by_kind = play(rising)
    assert [(t, s.phase) for t, s in steps] == [(120, "opened"), (300, "updated")]
    assert by_kind["heart_rate_high"].priority == "high"  # it does not fall again
    assert by_kind["heart_rate_high"].onset == 0


def test_worsening_is_told_in_steps_and_not_too_often() -> None:
    values = [125.0, 125, 125, 136, 147, 158, 159, 160, 161, 162, 163, 163, 163, 163]
    script = [(i * 60.0, [(MILD, BEYOND, v)]) for i, v in enumerate(values)]
    steps, by_kind = play(script)
    assert [(t, s.phase) for t, s in steps] == [(120, "opened"), (420, "updated")]
    assert by_kind["heart_rate_high"].extreme == 163


def test_the_extreme_counts_from_the_onset() -> None:
    script = [(i * 60.0, [(MILD, BEYOND, v)]) for i, v in enumerate([170.0, 130, 125])]
    steps, _ = play(script)
    assert steps[0][1].episode.extreme == 170


UNUSUAL = rule("u", "heart_rate_unusual", "low", rank=2, seconds=0, readings=1)
SHOCK = rule("s", "shock_index_high", "high", rank=1, seconds=60, signal="shock_index")
PRESSURE = rule("p", "blood_pressure_high", "medium", seconds=0, readings=1, signal="systolic")


def test_a_higher_priority_of_the_same_signal_hides_the_lower() -> None:
    first: Findings = [(0.0, [(SHOCK, BEYOND, 1.1)]), (60.0, [(SHOCK, BEYOND, 1.1)])]
    then: Findings = [
        (60.0 + i * 60, [(SHOCK, BEYOND, 1.1), (UNUSUAL, BEYOND, 130.0)]) for i in range(1, 5)
    ]
    gone: Findings = [
        (300.0 + i * 60, [(SHOCK, CLEAR, 0.7), (UNUSUAL, BEYOND, 130.0)]) for i in range(1, 5)
    ]
    steps, _ = play([*first, *then, *gone])
    assert [(t, s.kind, s.phase) for t, s in steps] == [
        (60, "shock_index_high", "opened"),
        (480, "shock_index_high", "closed"),
        (480, "heart_rate_unusual", "opened"),
    ]
    assert steps[-1][1].episode.onset == 120  # its true one


def test_limits_hide_the_baseline_in_the_same_reading() -> None:
    now = rule(seconds=0, readings=1)
    steps, _ = play([(0.0, [(UNUSUAL, BEYOND, 130.0), (now, BEYOND, 130.0)])])
    assert [step.kind for _, step in steps] == ["heart_rate_high"]


def test_other_signals_are_not_hidden() -> None:
    steps, _ = play([(0.0, [(UNUSUAL, BEYOND, 130.0), (PRESSURE, BEYOND, 170.0)])])
    assert [step.kind for _, step in steps] == ["blood_pressure_high", "heart_rate_unusual"]


def test_what_is_open_already_is_closed_by_its_own_values_alone() -> None:
    now = rule(seconds=0, readings=1)
    script: Findings = [
        (0.0, [(UNUSUAL, BEYOND, 115.0)]),
        (60.0, [(UNUSUAL, BEYOND, 130.0), (now, BEYOND, 130.0)]),
    ]
    for i in range(2, 24):
        stance: Stance = BEYOND if i < 20 else CLEAR
        script.append((60.0 * i, [(UNUSUAL, stance, 150.0), (now, stance, 150.0)]))
    steps, _ = play(script)
    assert [(s.kind, s.phase) for _, s in steps if s.kind == "heart_rate_unusual"] == [
        ("heart_rate_unusual", "opened"),
        ("heart_rate_unusual", "closed"),
    ]


def test_a_withdrawn_rule_lets_its_episode_go() -> None:
    _, by_kind = play([*run("BBB"), (200.0, [(SHOCK, BEYOND, 1.2)])])
    episodes = PatientEpisodes(by_kind, {})
    steps = EPISODES.retire(episodes, {"s"}, moment(300.0))
    assert [(s.kind, s.phase, s.episode.reason) for s in steps] == [
        ("heart_rate_high", "closed", "rule_withdrawn")
    ]
    assert set(by_kind) == {"shock_index_high"}
    assert EPISODES.retire(episodes, {"s"}, moment(360.0)) == []
    EPISODES.retire(episodes, set(), moment(360.0))
    assert by_kind == {}


def test_what_is_older_is_left_out_and_no_two_episodes_share_an_onset() -> None:
    now = rule(seconds=0, readings=1)
    episodes, onsets = PatientEpisodes({}, {}), []
    story: list[tuple[int, Stance]] = [
        (0, BEYOND), (60, CLEAR), (180, CLEAR), (0, BEYOND), (180, BEYOND), (181, BEYOND),
        (100, CLEAR),
    ]  # fmt: skip
    for time, stance in story:
        found = [Finding(now, stance, 125.0, since=0.0)]
        for step in EPISODES.take_findings(episodes, found, moment(float(time))):
            onsets.append((time, step.phase, step.episode.onset))
    assert onsets == [(0, "opened", 0), (180, "closed", 0), (181, "opened", 180)]
    assert episodes.by_kind["heart_rate_high"].clear_seen == 0


RULES = (
    MILD, SEVERE, UNUSUAL, SHOCK, PRESSURE,
    rule("once", "blood_pressure_high", "high", seconds=60, signal="diastolic"),
    rule("fault", "sensor_fault", "low", seconds=0, readings=2, signal="heart_rate"),
)  # fmt: skip
stances = st.sampled_from([BEYOND, BEYOND, BETWEEN, CLEAR, CLEAR, MUTED])
values = st.floats(60, 200)
scripts = st.lists(
    st.tuples(
        st.sampled_from([1.0, 60.0, 61.0, 119.0, 600.0, 601.0, 4000.0]),
        st.lists(
            st.tuples(st.sampled_from(RULES), stances, values),
            unique_by=lambda finding: finding[0].name, max_size=len(RULES),
        ),
    ),
    max_size=60,
)  # fmt: skip


@given(scripts)
def test_the_laws_of_episodes(
    gaps: list[tuple[float, list[tuple[Rule, Stance, float]]]],
) -> None:
    time, script = 0.0, []
    for gap, findings in gaps:
        time += gap
        script.append((time, findings))
    steps, by_kind = play_and_copy(script)
    open_now: dict[str, tuple[int, float, Priority]] = {}
    onsets: set[tuple[str, float]] = set()
    for _, kind, phase, sequence, onset, priority, ended_at, now, change in steps:
        if phase == "opened":
            assert kind not in open_now, "two open of one kind"
            assert sequence == 0
            assert (kind, onset) not in onsets, "an id twice"
            onsets.add((kind, onset))
        else:
            before, begun, level = open_now[kind]
            assert sequence == before + 1, "a gap in the sequence"
            assert onset == begun, "the id changed"
            fell = PRIORITY_ORDER[priority] > PRIORITY_ORDER[level]
            assert fell == (change == "eased"), "the priority fell, and that was not announced"
        if phase == "closed":
            assert ended_at is not None
            assert onset <= ended_at <= now
            del open_now[kind]
        else:
            open_now[kind] = (sequence, onset, priority)
    still = {kind for kind, episode in by_kind.items() if episode.open}
    assert still == set(open_now), "every one opened is closed or open at the end"
    assert all(episode.runs or episode.open for episode in by_kind.values()), (
        "nothing is kept for ever"
    )


def play_and_copy(
    script: list[tuple[float, list[tuple[Rule, Stance, float]]]],
) -> tuple[
    list[tuple[float, str, Phase, int, float, Priority, float | None, float, Change]],
    EpisodesByKind,
]:
    """As ``play``, with each step's figures as they were when it was told."""
    episodes = PatientEpisodes({}, {})
    steps = []
    for time, findings in script:
        found = [Finding(r, stance, value, 120, 110) for r, stance, value in findings]
        for step in EPISODES.take_findings(episodes, found, moment(time)):
            episode = step.episode
            steps.append(
                (time, step.kind, step.phase, episode.sequence, episode.onset, episode.priority,
                 step.ended_at, time, step.change)
            )  # fmt: skip
    return steps, episodes.by_kind
