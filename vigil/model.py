"""The domain model: frozen structs without I/O.

They are also what travels: each public struct has a JSON Schema in ``docs/schemas/`` (generated,
see :mod:`vigil.schemas`), and a change that would break a published schema fails the tests.
Unknown fields are ignored when decoding, so a newer producer can add one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from vigil.kinds import Category, Priority

Identifier = Annotated[
    str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@+-]*$(?!\n)")
]
"""A patient's or device's id: pseudonymous, no free text."""
Moment = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 with an offset."""
LARGEST_NUMBER = 1e15
Number = Annotated[float, Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
"""Any number that can be reckoned with: see :mod:`vigil.bounds`."""
Activity = Literal["asleep", "rest", "active", "unknown"]
Phase = Literal["opened", "updated", "closed"]
Audience = Literal["care_team", "patient"]
Verb = Literal[
    "acknowledge", "snooze", "assign", "escalate", "resolve", "comment",
    "useful", "false_alarm", "ok", "need_help",
]  # fmt: skip


class Context(Struct, frozen=True, omit_defaults=True):
    """What the person was doing and how well the sensor sat, where the device tells."""

    activity: Activity = "unknown"
    steps_per_min: Number | None = None
    posture: str | None = None
    contact: bool | None = None
    """False: the sensor reports poor skin contact."""


NO_CONTEXT = Context()


class Measurement(Struct, frozen=True, omit_defaults=True):
    """One moment, as it stands in an upload; the upload says whose and from what."""

    reading_id: str
    time: Moment
    """When it was measured, by the device's clock."""
    values: dict[str, Number] = {}
    """Signal name → value in the signal's unit (:mod:`vigil.signals`)."""
    context: Context = NO_CONTEXT


class Upload(Struct, frozen=True, omit_defaults=True):
    """What a device sent at once: one message on ``vitals.readings``, in order of time."""

    patient_id: Identifier
    device_id: Identifier
    received_at: Moment
    """When Vigil got it. Detection runs on ``time``; "no data" alone on this."""
    measurements: tuple[Measurement, ...]
    synthetic: bool = False
    """True for what the simulator made. Shown as such wherever a person sees it."""

    def readings(self) -> Iterator[Reading]:
        """The readings that this upload carries, each complete in itself."""
        for item in self.measurements:
            yield Reading(
                item.reading_id, self.patient_id, self.device_id, item.time, self.received_at,
                item.values, item.context, self.synthetic,
            )  # fmt: skip


class Reading(Struct, frozen=True, omit_defaults=True):
    """One moment of one patient."""

    reading_id: str
    patient_id: Identifier
    device_id: Identifier
    time: Moment
    received_at: Moment
    values: dict[str, Number]
    context: Context = NO_CONTEXT
    synthetic: bool = False


class Tick(Struct, frozen=True):
    """The clock, written into the log of a partition, so that silence has a length.

    Every partition of ``vitals.readings`` gets one every few seconds. A worker judges "no data"
    against it and never against its own wall clock: the same log gives the same events.
    """

    time: Moment


class Event(Struct, frozen=True):
    """A step of an *episode*: one kind of finding, for one patient, from onset to end."""

    event_id: str
    """UUIDv5 of patient, kind and onset; the same for every step of the episode."""
    patient_id: Identifier
    kind: str
    """A row of :data:`vigil.kinds.KINDS`."""
    category: Category
    phase: Phase
    sequence: int
    """0 for ``opened``, then up by one."""
    priority: Priority
    onset: Moment
    """When the condition began, in event time."""
    detected_at: Moment
    """The event time of the reading (or tick) that made this step known."""
    ended_at: Moment | None
    retrospective: bool
    """True where it rests on readings that came late: history, which pages nobody."""
    signals: tuple[str, ...]
    evidence: dict[str, Any]
    """What a sceptical clinician asks for; its keys are in ``docs/detection.md``."""
    context: Context
    detector_version: str
    config_hash: str
    synthetic: bool = False


class Text(Struct, frozen=True):
    """Words for one audience in one locale. All plain text, never markup."""

    title: str
    body: str
    action: str
    """The one thing to do, word for word from the reviewed table."""


class Provenance(Struct, frozen=True, omit_defaults=True):
    """Where a text came from, and what the verifier said of it."""

    author: Literal["template", "phrasebook", "model"]
    entry: str
    """The template's or phrasebook entry's name, with its version."""
    verdict: str = "passed"
    model: str = ""
    prompt_hash: str = ""
    refused: tuple[str, ...] = ()
    """Reason codes of wordings that the verifier refused before this one."""


class Alert(Struct, frozen=True):
    """An event in words. One alert an episode; each later step or better wording revises it."""

    alert_id: str
    event_id: str
    patient_id: Identifier
    revision: int
    """``2 * sequence`` for the words that go out at once, one more for a model's rewording."""
    sequence: int
    kind: str
    category: Category
    phase: Phase
    priority: Priority
    retrospective: bool
    time: Moment
    """The event's ``detected_at``."""
    onset: Moment
    texts: dict[Audience, dict[str, Text]]
    """Audience → locale → text."""
    slots: dict[str, str]
    """Every slot that the English texts show, as rendered; each traces to the event's evidence."""
    provenance: dict[Audience, Provenance]
    synthetic: bool = False
    local_slots: dict[str, dict[str, str]] = {}
    """Locale → the slots that the patient's text shows in that locale, as rendered."""


class Phrase(Struct, frozen=True, omit_defaults=True):
    """A sentence of the phrasebook: *what we saw*, with slots, and who stands for it."""

    phrase_id: str
    """UUIDv5 of signature and text: another wording is another phrase."""
    signature: str
    """What it can say: the key of an ``explain.signature.Signature``."""
    text: str
    status: Literal["draft", "approved", "banned"]
    """``draft``: only the verifier has passed it; the others are a reviewer's word."""
    author: Literal["model", "person"]
    revision: int
    """0 as it was written, then up by one with each review; the highest holds."""
    time: Moment
    """When this revision was made."""
    by: str = ""
    """The user who reviewed it."""
    model: str = ""
    adapter: str = ""
    prompt_hash: str = ""
    replaces: str = ""
    """The phrase that this one was edited from."""


class Status(Struct, frozen=True):
    """How one process is doing. No figure is about a patient."""

    instance: str
    """Names the process for as long as it runs."""
    service: str
    version: str
    started: Moment
    time: Moment
    """When this was so; the newest of an instance holds."""
    trouble: dict[str, str]
    """What keeps it from working, by part; empty when ready."""
    counters: dict[str, int]
    """Since it started."""
    gauges: dict[str, Number]
    since: dict[str, Moment] = {}
    """Part → since when it has been in trouble; the keys of ``trouble``."""
    ended: bool = False
    """True in the last status of a process that stopped by itself: its silence is no fault."""


class Action(Struct, frozen=True, omit_defaults=True):
    """What a person did about an alert."""

    action_id: str
    event_id: str
    patient_id: Identifier
    actor: str
    """The user's id, or ``patient``."""
    verb: Verb
    time: Moment
    comment: str = ""
    until: Moment | None = None
    """For ``snooze``."""


class PatientEntry(Struct, frozen=True, tag="patient"):
    """A patient as the pipeline must know them: no name, no date of birth."""

    patient_id: Identifier
    ward: str
    locale: str = "en"
    active: bool = True
    synthetic: bool = False


class DeviceEntry(Struct, frozen=True, tag="device"):
    """A device and the digest of its key (SHA-256 of 256 random bits; see docs/security.md)."""

    device_id: Identifier
    key_sha256: str
    patient_id: str | None = None
    """None: a hub that may send for any enrolled patient."""
    active: bool = True


DirectoryEntry = PatientEntry | DeviceEntry

encode = msgspec.json.Encoder(order="deterministic").encode
"""JSON bytes, keys in a fixed order: equal objects are equal bytes."""
