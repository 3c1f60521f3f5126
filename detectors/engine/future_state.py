"""A saved state from the future: what of it is kept, and what begins afresh.

No message so far ahead of the broker's clock is accepted (:mod:`vigil.contracts.clock_check`), but
a state saved before that check existed may hold a newest reading of the year 9000. Every true one
would be older, and never judged.

Where a *reading* had such a time, it may be in any memory, so all begin afresh; where only the
clock had (a tick, the time of receipt), they stay. Either way the open episodes are kept, since
nobody else could close them, with their last times set back.
"""

from __future__ import annotations

from collections.abc import Mapping

from detectors.admission.rules import CLOCK
from detectors.contract import Detector
from detectors.engine.missing_data import LastSeen
from detectors.engine.state import PatientState
from detectors.episodes.memory import EpisodeMemory, PatientEpisodes

AHEAD_SECONDS = 86_400.0
"""A day: what is less far ahead is right again by itself before anybody has to fix it."""
LONGEST_INTERVAL = 366 * 86_400.0
"""Seconds between two uploads, in the mean."""
_TIMES = ("announced_at", "clear_since", "last", "known", "received", "repeat_from", "severe_at")
"""Of an episode. Its onset stays: the episode's id is made of it."""


def without_future(
    state: PatientState, detectors: Mapping[str, Detector], now: float
) -> PatientState:
    """Return the state without times more than a day after ``now``; the same one if it has none.

    ``lost`` names what was begun afresh.
    """
    limit = now + AHEAD_SECONDS
    if not _is_ahead(state, limit):
        return state
    newest = {name: time for name, time in state.newest.items() if time <= limit}
    if state.newest.keys() - newest.keys() - {CLOCK} or _overlooked_ahead(state, limit):
        afresh = PatientState(detectors)
        afresh.synthetic, afresh.restored, newest = state.synthetic, True, {}
        afresh.last_seen, afresh.episodes = state.last_seen, state.episodes
        afresh.lost = (*state.lost, "context", "tracks", *detectors)
        state = afresh
    else:
        state.lost = (*state.lost, "clock")
    state.newest = newest
    clocks = state.devices.clocks.by_device
    for device in [name for name, row in clocks.items() if row.received > limit]:
        del clocks[device]
    state.last_seen = _last_seen(state.last_seen, now)
    _set_back(state.episodes, limit, now - AHEAD_SECONDS)
    if state.late is not None:
        state.late.received = min(state.late.received, now)
    return state


def _is_ahead(state: PatientState, limit: float) -> bool:
    """Whether any time is after the limit. Cheap: asked of every state that is loaded."""
    last_seen, episodes = state.last_seen, state.episodes
    return (
        last_seen.received > limit
        or last_seen.silent_from > limit
        or any(time > limit for time in state.newest.values())
        or any(time > limit for time in episodes.ended.values())
        or any(_latest(episode) > limit for episode in episodes.by_kind.values())
        or _overlooked_ahead(state, limit)
        or any(row.received > limit for row in state.devices.clocks.by_device.values())
    )


def _overlooked_ahead(state: PatientState, limit: float) -> bool:
    """The same of readings that another device's were preferred to."""
    past = state.past
    return past is not None and any(time > limit for time in past.overlooked.values())


def _latest(episode: EpisodeMemory) -> float:
    times: list[float] = [getattr(episode, name) for name in _TIMES]
    return max(times)


def _last_seen(saved: LastSeen, now: float) -> LastSeen:
    """Count silence from now at the latest; a mean interval of years was an error."""
    last_seen = saved if saved.mean_seconds <= LONGEST_INTERVAL else LastSeen()
    last_seen.received = min(saved.received, now)
    last_seen.silent_from = min(saved.silent_from, now)
    return last_seen


def _set_back(episodes: PatientEpisodes, limit: float, back: float) -> None:
    """Set what is later than ``limit`` to ``back``; a run that was last beyond later is dropped."""
    for kind, episode in list(episodes.by_kind.items()):
        episode.runs = {rule: run for rule, run in episode.runs.items() if run.last <= limit}
        known = max(back, episode.onset) if episode.onset <= limit else back
        for name in _TIMES:
            if getattr(episode, name) > limit:
                setattr(episode, name, known)
        if not episode.open and not episode.runs:
            del episodes.by_kind[kind]
    episodes.ended = {kind: back if time > limit else time for kind, time in episodes.ended.items()}
