"""How severe an open episode is now, how severe it was, and when it is announced again.

The priority rises at once with a rule that has persisted. It falls where nothing of it was measured
for ``ease_seconds`` and over ``clear_readings`` readings, while a milder rule of the kind holds:
what it was stays in the evidence (``highest_priority``), and a new rise is a rise. An episode that
lasts is announced again some hours after the last step that was for a page (``[repeat]``, by
priority); one whose steps all came late, as soon as it is measured live.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from detectors.contract import BEYOND, Finding, Rule
from detectors.episodes.configuration import EpisodePolicy
from detectors.episodes.memory import EpisodeMemory, Furthest
from vigil.domain.figures import figure
from vigil.domain.kinds import PRIORITY_ORDER, Priority

Change = Literal["", "raised", "worse", "continues", "eased", "parts", "joined", "earlier"]
"""Why an ``updated`` step is announced: the priority rose; the value went further past the limit;
it lasts; the priority fell; a further finding joined; one that is of high priority by itself joined
for the first time, or went further; late readings show that it began earlier. Empty: it is no such
step."""
MARKED_STEPS = 1.25
"""So many ``update_step`` further, what is of high priority is announced again without waiting for
``update_seconds``: what comes next may be nothing (our own figure)."""
REPEATED_FROM = frozenset({"raised", "continues"})
"""Steps from which on the time to the next repeat is counted. A worsening is none: it pages only
where somebody has acknowledged."""


def set_priority(episode: EpisodeMemory, priority: Priority, time: float) -> None:
    """Set the priority that holds from now on, and keep the highest ever."""
    highest = episode.highest or priority
    worse = PRIORITY_ORDER[priority] < PRIORITY_ORDER[highest]
    episode.highest = priority if worse else highest
    episode.priority, episode.severe_at, episode.less_seen = priority, time, 0


def record_findings(episode: EpisodeMemory, findings: Iterable[Finding], time: float) -> None:
    """Note whether a moment's findings are of the open episode's priority."""
    order = PRIORITY_ORDER[episode.priority]
    beyond = (PRIORITY_ORDER[f.rule.priority] for f in findings if f.stance == BEYOND)
    if any(found <= order for found in beyond):
        episode.severe_at, episode.less_seen = time, 0
    else:
        episode.less_seen += 1


def last_severe(episode: EpisodeMemory) -> float:
    """When something of its priority was last measured."""
    return episode.severe_at or episode.announced_at


def has_eased(episode: EpisodeMemory, policy: EpisodePolicy, time: float) -> bool:
    """Whether nothing of its priority was measured for long enough."""
    since = last_severe(episode)
    return episode.less_seen >= policy.clear_readings and time - since >= policy.ease_seconds


def is_due(episode: EpisodeMemory, repeat: float, time: float) -> bool:
    """Whether an episode that lasts is to be announced again. ``repeat``: seconds; 0: never."""
    since = episode.repeat_from or episode.announced_at
    return repeat > 0 and time - since >= repeat


def keep_furthest(episode: EpisodeMemory, findings: Iterable[Finding]) -> None:
    """Keep how far each signal of an open episode, or of a part, went past its limits."""
    beyond = [f for f in findings if f.stance == BEYOND and f.value is not None]
    is_known, begun = episode.furthest is not None, dict[str, list[Finding]]()
    furthest = episode.furthest = episode.furthest if episode.furthest is not None else {}
    for finding in beyond:
        key, value = _side(finding.rule), finding.value
        if not finding.rule.direction or value is None:
            continue
        before = furthest.get(key)
        if before is None:
            begun.setdefault(key, []).append(finding)
        else:
            before.extreme = further(finding.rule.direction, before.extreme, value)
    for key, own in begun.items():
        furthest[key] = _begun(own, is_known=is_known)


def _begun(findings: list[Finding], *, is_known: bool) -> Furthest:
    """What one signal shows beyond its limits for the first time: by how much it passed the least
    of them."""
    direction = findings[0].rule.direction
    values = [finding.value for finding in findings if finding.value is not None]
    extreme = (max if direction == "above" else min)(values)
    limits = [finding.limit for finding in findings if finding.limit is not None]
    if not is_known or not limits:
        return Furthest(extreme, extreme)
    return Furthest(extreme, (min if direction == "above" else max)(limits))


def join_furthest(episode: EpisodeMemory, earlier: EpisodeMemory) -> None:
    """Let an open episode have gone as far as what turns out to be its beginning."""
    if episode.furthest is None:
        return
    for side, past in (earlier.furthest or {}).items():
        known = episode.furthest.setdefault(side, Furthest(past.extreme, past.announced))
        known.extreme = further(side.partition(" ")[0], known.extreme, past.extreme)


def keep_announced(episode: EpisodeMemory) -> None:
    """Remember that everything that is known of an episode was announced."""
    episode.announced_extreme = episode.extreme
    for one in (episode.furthest or {}).values():
        one.announced = one.extreme


def furthest_of(episode: EpisodeMemory, rule: Rule) -> float | None:
    """How far what a rule judges went while the episode was open; None: not known."""
    found = (episode.furthest or {}).get(_side(rule))
    return None if found is None else found.extreme


def further(direction: str, one: float, other: float) -> float:
    """The one of two values that lies further past a limit."""
    return max(one, other) if direction == "above" else min(one, other)


def worse_by(episode: EpisodeMemory, rule: Rule) -> float:
    """How far what a rule judges went past what was last announced of it, in the signal's unit.

    Of an episode that is announced by the same signal, by what was announced.
    """
    own = (episode.signal, episode.direction)
    if (rule.signal, rule.direction) == own:
        now, before = episode.extreme, episode.announced_extreme
        known = None if now is None or before is None else Furthest(now, before)
    else:
        known = (episode.furthest or {}).get(_side(rule))
    return 0.0 if known is None else _went_by(_side(rule), known)


def is_worse(episode: EpisodeMemory, rule: Rule, *, step: float, due: bool) -> bool:
    """Whether an open episode is announced again by what a rule judges.

    Args:
        step: ``update_step`` of its kind.
        due: whether ``update_seconds`` have passed since its last step.
    """
    worse = worse_by(episode, rule)
    marked = episode.priority == "high" and worse >= MARKED_STEPS * step
    return marked or (due and worse >= step)


def part_is_worse(part: EpisodeMemory, *, step: float, due: bool) -> bool:
    """Whether a part of high priority is announced again: by whichever of its signals.

    Args:
        step: ``update_step`` of its kind.
        due: whether ``update_seconds`` of its lead have passed since the lead's last step.
    """
    if part.priority != "high" or not part.part_announced:
        return False
    least = step if due else MARKED_STEPS * step
    return any(_went_by(side, one) >= least for side, one in (part.furthest or {}).items())


def _went_by(side: str, one: Furthest) -> float:
    """How far it went past what was announced."""
    direction, _, signal = side.partition(" ")
    gap = figure(signal, one.extreme) - figure(signal, one.announced)
    return gap if direction == "above" else -gap


def _side(rule: Rule) -> str:
    """The signal that a rule judges, and which way."""
    return f"{rule.direction} {rule.signal}"


def highest(episode: EpisodeMemory) -> Priority | None:
    """The highest priority that it had, where the present one is lower."""
    if not episode.highest or episode.highest == episode.priority:
        return None
    return episode.highest
