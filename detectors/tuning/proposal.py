"""What a budget's search proposes, with what would change and what would not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from msgspec import Struct

from detectors.configuration.loading import DetectionConfig, from_tables
from detectors.tuning.backtest import Backtest, Outcome
from detectors.tuning.budget import EVERYONE, NO_WARD, Load, by_patient, by_ward, config_of, ward_of
from detectors.tuning.days import Watched
from detectors.tuning.knobs import knobs, with_values
from detectors.tuning.ledger import Alarm
from detectors.tuning.report import Changed, Configuration, Listed, Report, make
from detectors.tuning.search import Scope, Search, Uploads
from vigil.values.sums import total

FORM = 1
"""Of the file; a later one that reads otherwise gets another number."""


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """One figure to be loosened."""

    scope: str
    table: tuple[str, ...]
    """Names of the tables that it is in, in the operator's file."""
    key: str
    before: float
    after: float


class Predicted(Struct, frozen=True, forbid_unknown_fields=True):
    """A scope that is over its budget, and what the changes make of it, over this history."""

    scope: str
    patient_days: float
    budget: float
    before: float
    """Alarms per patient-day."""
    after: float
    least: float
    """The fewest that the bounds allowed, as far as was played."""
    high: float
    """Of these at high priority, which stay whatever is changed."""
    met: bool
    """False: nothing is proposed for it; look at its high-priority limits, or at its budget."""


class Basis(Struct, frozen=True, forbid_unknown_fields=True):
    """The history that was played."""

    sources: tuple[str, ...]
    patients: int
    readings: int
    patient_days: float
    first: datetime
    last: datetime
    passes: int
    """How often."""


class High(Struct, frozen=True, forbid_unknown_fields=True):
    """What is announced at high priority, before and after: the same."""

    alarms: int
    unchanged: bool
    sha256: str
    """Of the lines in both runs (:meth:`detectors.tuning.ledger.Ledger.high`)."""


class Proposal(
    Struct, frozen=True, forbid_unknown_fields=True, rename={"altered": "told_otherwise"}
):
    """A person reads it, and approves it or does not."""

    form: int
    config_sha256: str
    """Of the operator's file as it was; empty: there was none."""
    config_hash: str
    config_hash_after: str
    basis: Basis
    high: High
    predicted: tuple[Predicted, ...]
    changes: tuple[Change, ...]
    lost: tuple[Listed, ...] = ()
    """Alarms that would not be announced any more, with their worst values."""
    gained: tuple[Listed, ...] = ()
    """Alarms that would be announced instead, as one of lower priority that was hidden before."""
    altered: tuple[Changed, ...] = ()
    """Later, at another priority, or as another kind."""


def propose(
    own: Mapping[str, Any],
    digest: str,
    uploads: Uploads,
    sources: tuple[str, ...],
    *,
    one_by_one: bool = False,
) -> tuple[Proposal, list[Load]]:
    """Find what brings each ward and patient to their budget.

    Args:
        own: the operator's tables.
        digest: of the file that they are from; goes into the proposal.

    Returns:
        The proposal, and each ward's load as things are. Nothing is over: no changes.
    """
    config = from_tables(own)
    first = Backtest(config, one_by_one=one_by_one).play(uploads())
    loads = by_ward(config, first.before.alarms(), first.days.watched())
    search = Search(own, uploads, one_by_one)
    wards = _over_wards(config, first)
    search.narrow(wards)
    for scope in wards:
        search.own = with_values(search.own, scope.where, scope.values)
    patients = _over_patients(search, first)
    search.narrow(patients)
    after = search.own
    for scope in patients:
        after = with_values(after, scope.where, scope.values)
    changed = from_tables(after)
    report, outcome = _verified(
        config, changed, uploads=uploads, sources=sources, one_by_one=one_by_one
    )
    return _drawn_up(
        digest, [*wards, *patients], report=report, outcome=outcome, passes=search.passes + 2
    ), loads


def _verified(
    config: DetectionConfig,
    changed: DetectionConfig,
    uploads: Uploads,
    sources: tuple[str, ...],
    *,
    one_by_one: bool,
) -> tuple[Report, Outcome]:
    """Everyone once more under both configurations: nothing rests on what the search inferred."""
    last = Backtest(config, changed, one_by_one=one_by_one).play(uploads())
    names = (
        Configuration("before", config.config_hash),
        Configuration("after", changed.config_hash),
    )
    return make(last, *names, sources), last


def _drawn_up(
    digest: str, scopes: list[Scope], report: Report, outcome: Outcome, passes: int
) -> Proposal:
    watched = outcome.days.watched()
    counted, after = report.counted, report.after
    if after is None or not report.high_unchanged:
        raise AssertionError("a proposal that changes a high-priority alarm")  # a slip of ours
    high = outcome.before.high()
    return Proposal(
        form=FORM,
        config_sha256=digest,
        config_hash=report.before.config_hash,
        config_hash_after=after.config_hash,
        basis=Basis(
            sources=report.sources,
            patients=counted.patients,
            readings=counted.readings,
            patient_days=counted.patient_days,
            first=counted.first,
            last=counted.last,
            passes=passes,
        ),
        high=High(high.count(b"\n"), unchanged=True, sha256=sha256(high).hexdigest()),
        predicted=tuple(_predicted(scope, watched) for scope in scopes),
        changes=tuple(change for scope in scopes for change in _changes(scope)),
        lost=report.lost,
        gained=report.gained,
        altered=report.changed,
    )


def _over_wards(config: DetectionConfig, outcome: Outcome) -> list[Scope]:
    """Wards over their budget. (Whom no ward names, where there are wards, is judged alone.)"""
    watched, alarms = outcome.days.watched(), outcome.before.all()
    scopes = []
    for load in by_ward(config, alarms, watched):
        if not load.over or load.scope == NO_WARD:
            continue
        people = frozenset(p for p in watched if ward_of(config, p) == load.scope)
        where = () if load.scope == EVERYONE else ("wards", load.scope)
        scopes.append(
            Scope(
                name=load.scope,
                where=where,
                config=config_of(config, load.scope),
                people=people,
                most=load.budget * load.patient_days,
                base=_alarms_of(alarms, people),
            )
        )
    return scopes


def _over_patients(search: Search, outcome: Outcome) -> list[Scope]:
    """Patients over theirs, with what is proposed for their ward."""
    watched, config = outcome.days.watched(), from_tables(search.own)
    over = [load for load in by_patient(config, outcome.before.alarms(), watched) if load.over]
    if not over:
        return []
    people = frozenset(load.scope for load in over)
    theirs = (upload for upload in search.uploads() if upload.patient_id in people)
    alarms = Backtest(config, one_by_one=search.one_by_one).play(theirs).before.all()
    return [
        Scope(
            name=load.scope,
            where=("patients", load.scope),
            config=config.config_for(load.scope),
            people=frozenset({load.scope}),
            most=load.budget * load.patient_days,
            base=_alarms_of(alarms, frozenset({load.scope})),
        )
        for load in by_patient(config, alarms, watched)
        if load.over
    ]


def _alarms_of(alarms: list[Alarm], people: frozenset[str]) -> list[Alarm]:
    return [alarm for alarm in alarms if alarm.patient_id in people]


def _predicted(scope: Scope, watched: Mapping[str, Watched]) -> Predicted:
    days = total(watched[patient].days for patient in sorted(scope.people))
    before = [alarm for alarm in scope.base if not alarm.retrospective]
    clinical = [alarm for alarm in before if alarm.category == "clinical"]
    high = sum(alarm.priority == "high" for alarm in clinical)
    return Predicted(
        scope=scope.name,
        patient_days=round(days, 6),
        budget=round(scope.most / days, 6),
        before=round(len(clinical) / days, 6),
        after=round(scope.count / days, 6),
        least=round(scope.least / days, 6),
        high=round(high / days, 6),
        met=scope.met,
    )


def _changes(scope: Scope) -> list[Change]:
    known = {knob.path: knob.present for knob in knobs(scope.config)}
    return [
        Change(
            scope=scope.name,
            table=(*scope.where, *path[:-1]),
            key=path[-1],
            before=known[path],
            after=value,
        )
        for path, value in scope.values.items()
    ]
