"""The fragments of a patient's page: the heading with the newest values, and a card an episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from dashboard.board import ranking, rows
from dashboard.patient import basis as bases
from dashboard.shell import wording
from dashboard.shell.templating import environment, render
from dashboard.shell.text_times import mark_times
from explain.facts.extraction import bears_duration, unobserved_end
from explain.questions.table import question_table
from store.episodes.board import Episode, Patient, Value
from store.episodes.evidence import Basis, StoredAction
from vigil.domain.kinds import PRIORITY_ORDER
from vigil.domain.reading import WITHDRAWAL_LABELS

VERBS: Mapping[str, str] = {
    "acknowledge": "acknowledged",
    "snooze": "snoozed",
    "assign": "assigned",
    "escalate": "escalated",
    "resolve": "resolved",
    "comment": "wrote",
    "useful": "marked it useful",
    "false_alarm": "marked it a false alarm",
    "ok": "said: I am fine",
    "need_help": "asked for help",
}


@dataclass(frozen=True, slots=True)
class ActionLine:
    """Something that a person did about an episode, as its card shows it."""

    actor: str
    verb: str
    time: datetime
    comment: str


@dataclass(frozen=True, slots=True)
class OfferedQuestion:
    """A question that an alert's card offers."""

    intent: str
    text: str


@cache
def _card() -> Template:
    return environment().get_template("patient/card.html")


def render_card(
    patient: Patient, episode: Episode, *, basis: Basis, actions: Sequence[StoredAction]
) -> rows.Fragment:
    """Render one episode: what we saw, what to do, its basis, and what people did.

    Args:
        actions: what people did about it, oldest first.
    """
    who = patient.display_name or patient.patient_id
    level = ranking.priority_of(episode)
    opinions = [action.verb for action in actions if action.verb in {"useful", "false_alarm"}]
    html = _card().render(
        level=level,
        episode=episode,
        summary=rows.row_episode(episode),
        title=rows.episode_title(episode),
        text=episode.text or {},
        body=_body(episode),
        lasted=_lasted(episode, basis.evidence),
        last="last measured" if unobserved_end(basis.evidence) else "found over",
        facts=bases.list_facts(basis),
        withdrawn=_withdrawn(episode, basis.evidence),
        words_by_model=basis.provenance.get("author") == "model",
        actions=[_action_line(action) for action in actions],
        opinion=opinions[-1] if opinions else "",
        who=who,
        questions=_offered_questions(),
    )
    css = f"episode {level} {'over' if episode.phase == 'closed' else 'active'}"
    if episode.history:
        css += " past"
    if not episode.acknowledged:
        css += " waiting"
    return rows.make_fragment(episode.episode_id, css, html)


def _withdrawn(episode: Episode, evidence: Mapping[str, Any]) -> str:
    """What the withdrawal of a reading has to do with an episode, and why it was withdrawn; empty:
    nothing."""
    stated = evidence.get("withdrawal")
    taken = stated if isinstance(stated, dict) else None
    if taken and (evidence.get("reason") == "reading_withdrawn" or _is_corrected(evidence, taken)):
        what = "a reading it rested on was withdrawn"
    elif episode.judged_again:
        what = "found by judging again after a reading was withdrawn"
    elif taken:
        what = "judged again after a reading was withdrawn"
    else:
        return ""
    reason = taken.get("reason") if taken else None
    label = WITHDRAWAL_LABELS.get(reason, "") if isinstance(reason, str) else ""  # type: ignore[call-overload]
    return f"{what}: {label}" if label else what


def _is_corrected(evidence: Mapping[str, Any], withdrawal: Mapping[str, Any]) -> bool:
    """Whether an episode stands with other figures than it had by withdrawn readings."""
    return evidence.get("change") == "corrected" or withdrawal.get("priority") in PRIORITY_ORDER


def _lasted(episode: Episode, evidence: Mapping[str, Any]) -> str:
    """How long it was; empty where the readings do not bear it, or nobody saw the end."""
    if unobserved_end(evidence) or not bears_duration(episode.category, evidence):
        return ""
    return wording.format_duration((episode.ended_at or episode.detected_at) - episode.onset)


def _body(episode: Episode) -> Markup:
    """What was seen, its times as the page writes all times."""
    moments = (episode.onset, episode.ended_at)
    text = (episode.text or {}).get("body", "")
    return mark_times(text, moments, seen_from=episode.detected_at)


def _action_line(action: StoredAction) -> ActionLine:
    return ActionLine(
        actor="The patient" if action.actor == "patient" else action.actor,
        verb=VERBS.get(action.verb, action.verb),
        time=action.time,
        comment=action.comment,
    )


def render_card_placeholder(episode: Episode) -> rows.Fragment:
    """The replacement of a card that cannot be rendered."""
    html = render("patient/card_placeholder.html", episode=episode)
    return rows.make_fragment(episode.episode_id, "episode none active waiting placeholder", html)


@cache
def _offered_questions() -> tuple[OfferedQuestion, ...]:
    words = question_table("care_team")
    return tuple(OfferedQuestion(intent, words.text("ask", intent)) for intent in words.intents)


def render_patient_head(
    patient: Patient,
    values: Mapping[str, Value],
    episodes: Sequence[Episode],
    *,
    judged: bool,
    fault: bool = False,
) -> Markup:
    """Render who it is, and the newest values.

    Args:
        judged: whether "no active alert" is known to be true.
        fault: the state of the patient cannot be shown.
    """
    ranked = ranking.rank_episodes(episode for episode in episodes if episode.phase != "closed")
    newest = rows.newest_value(values)
    return Markup(  # noqa: S704  (a template of ours, which escapes)
        render(
            "patient/patient_head.html",
            patient=patient,
            fault=fault,
            judged=judged,
            level=ranked.level,
            active=len(ranked.episodes),
            vitals=rows.newest_vitals(values, ranked.top),
            newest=newest,
            apart=newest is not None and rows.received_apart(newest),
        )
    )
