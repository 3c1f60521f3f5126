"""The content of the patient's page, made of database rows: plain values, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, Literal

from markupsafe import Markup

from dashboard.phone.words import text_direction
from dashboard.shell.text_times import mark_times
from dashboard.worker_state.overview import Overview
from explain import tables
from store.writing.bounds import LATEST
from vigil.service import isolation
from vigil.values.clock import EARLIEST

Reply = Literal["ok", "need_help"]
WarningName = Literal["", "unchecked", "maybe_unchecked", "messages_late"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The patient's latest reply to a message."""

    verb: Reply
    time: datetime | None
    """None: the broker has it, and the database does not yet."""
    seen_at: datetime | None
    """When somebody of the staff acknowledged the alert after it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, in the patient's language and its direction."""

    episode_id: str
    title: str
    body: Markup
    """Its times as the page writes all times."""
    action: str
    locale: str
    dir: str
    time: datetime
    over: bool
    unknown: bool
    """It was closed, but not because it was over: nobody knows whether it is."""
    synthetic: bool
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class SentReply:
    """A reply that the broker accepted a moment ago."""

    action_id: str
    episode_id: str
    verb: Reply


def list_messages(
    rows: Iterable[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
    locale: str,
    sent: SentReply | None = None,
) -> list[Message]:
    """The messages to show, in the order of the rows.

    Args:
        rows: :func:`store.people.phones.messages`. One without a patient's text is left out.
        answers: :func:`store.people.phones.answers`, oldest first.
        sent: a reply that may not be among the answers yet.
    """
    made = (
        isolation.attempt(
            "message on a phone",
            str(row["episode_id"]),
            make=partial(_message, row, answers, locale=locale, sent=sent),
            otherwise=lambda: None,
        )
        for row in rows
    )
    return [message for message in made if message is not None]


def content_version(shown: Sequence[Message], warning: WarningName = "") -> str:
    """A digest of what is shown, by which an open page knows when to reload."""
    return sha256(repr((warning, shown)).encode()).hexdigest()[:16]


def worker_warning(overview: Overview) -> WarningName:
    """What the patient must know about the workers: the name of its text.

    While the state of the workers is not known yet, for some seconds after the web process has
    started, there is no warning: a page must not alarm a person at each start.
    """
    found = overview.state_of("detectors")
    if overview.unanswered or (found is not None and found.kind in {"part", "late"}):
        return "maybe_unchecked"
    if found is not None and found.kind == "down":
        return "unchecked"
    others = (overview.state_of(service) for service in ("explain", "store"))
    return "messages_late" if any(o is not None and o.kind != "checking" for o in others) else ""


def _message(
    row: Mapping[str, Any],
    answers: Sequence[Mapping[str, Any]],
    *,
    locale: str,
    sent: SentReply | None,
) -> Message | None:
    texts: Mapping[str, Mapping[str, str]] = row["texts"] or {}
    chosen = next((name for name in (locale, "en", *texts) if name in texts), None)
    if chosen is None:
        return None
    text = texts[chosen]
    no_recovery = tables.is_end(str(row["entry"] or ""))
    if not EARLIEST <= row["time"] < LATEST:
        raise ValueError("a time out of range")
    return Message(
        episode_id=row["episode_id"],
        title=text["title"],
        body=mark_times(
            text["body"],
            (row["onset"],),
            seen_from=row["time"],
            locale=chosen,
            written="data-local",
        ),
        action=text["action"],
        locale=chosen,
        dir=text_direction(chosen),
        time=row["time"],
        over=row["phase"] == "closed" and not no_recovery,
        unknown=row["phase"] == "closed" and no_recovery,
        synthetic=row["synthetic"],
        answer=_answer([a for a in answers if a["episode_id"] == row["episode_id"]], row, sent),
    )


def _answer(
    answers: Sequence[Mapping[str, Any]], row: Mapping[str, Any], sent: SentReply | None
) -> Answer | None:
    replies = [a for a in answers if a["verb"] != "acknowledge"]
    known = {reply["action_id"] for reply in replies}
    if sent is not None and sent.episode_id == row["episode_id"] and sent.action_id not in known:
        return Answer(sent.verb, time=None, seen_at=None)
    if not replies:
        return None
    last = replies[-1]
    seen = [a["time"] for a in answers if a["verb"] == "acknowledge" and a["time"] >= last["time"]]
    return Answer(last["verb"], time=last["time"], seen_at=seen[0] if seen else None)
