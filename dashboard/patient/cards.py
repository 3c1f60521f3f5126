"""A patient's page in pieces: the heading with the newest values, and a card an episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from jinja2 import Template
from markupsafe import Markup

from dashboard.board import ranking, rows
from dashboard.patient import basis as bases
from dashboard.shell import wording
from dashboard.shell.templating import environment, render
from explain.questions.answers import book
from store.episodes.board import Episode, Patient, Value
from store.episodes.evidence import Basis, StoredAction

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


@cache
def _card() -> Template:
    return environment().get_template("card.html")


def card(
    patient: Patient, episode: Episode, basis: Basis, deeds: Sequence[StoredAction]
) -> rows.Fragment:
    """One episode: what we saw, what to do, what it rests on, and what people did."""
    who = patient.display_name or patient.patient_id
    opinions = [deed for deed in deeds if deed.verb in {"useful", "false_alarm"}]
    html = _card().render(
        level=ranking.level(episode),
        episode=episode,
        told=rows.told(episode),
        title=rows.title(episode),
        text=episode.text or {},
        lasted=wording.duration((episode.ended_at or episode.detected_at) - episode.onset),
        facts=bases.facts(basis),
        words_by_model=basis.provenance.get("author") == "model",
        deeds=[
            (
                "The patient" if deed.actor == "patient" else deed.actor,
                VERBS.get(deed.verb, deed.verb),
                deed,
            )
            for deed in deeds
        ],
        opinion=opinions[-1].verb if opinions else "",
        who=who,
        asks=_asks(),
    )
    css = f"episode {ranking.level(episode)} {'over' if episode.phase == 'closed' else 'active'}"
    if not episode.acknowledged:
        css += " waiting"
    return rows.fragment(episode.event_id, css, html)


def unshown(episode: Episode) -> rows.Fragment:
    """In the place of a card that cannot be drawn."""
    html = render("card_unshown.html", episode=episode)
    return rows.fragment(episode.event_id, "episode none active waiting unshown", html)


@cache
def _asks() -> tuple[tuple[str, str], ...]:
    """The questions that an alert's card offers."""
    words = book("care_team")
    return tuple((intent, words.say("ask", intent)) for intent in words.asks)


def patient_head(
    patient: Patient,
    values: Mapping[str, Value],
    episodes: Sequence[Episode],
    *,
    judged: bool,
    fault: bool = False,
) -> Markup:
    """Who it is, and the newest values.

    Args:
        judged: whether "no active alert" can be said.
        fault: how they stand cannot be shown.
    """
    stands = ranking.standing(episode for episode in episodes if episode.phase != "closed")
    newest = max(values.values(), key=lambda value: (value.received_at, value.time), default=None)
    return Markup(  # noqa: S704  (a template of ours, which escapes)
        render(
            "patient_head.html",
            patient=patient,
            fault=fault,
            judged=judged,
            level=stands.level,
            active=len(stands.episodes),
            vitals=rows.vitals(values, stands.top),
            newest=newest,
            apart=newest is not None
            and abs(newest.received_at - newest.time) > wording.APART_AFTER,
        )
    )
