"""One reading on its way in: what of it is new, what is let through, what may be learned."""

from __future__ import annotations

from collections.abc import Mapping

from detectors import context
from detectors.admission import CONTACT, FAULT, Admitted
from detectors.contract import Moment
from detectors.pipeline import Pipeline
from detectors.state import Patient
from detectors.watch import NEVER, open_kinds
from vigil.kinds import KINDS
from vigil.model import Context

CONTEXT_ALONE = "context"
"""Stands among the signals for a reading that tells of activity alone."""
QUALITY_SHARE = 0.02
"""Weight of the newest reading in the running share of what was admitted."""


def newer(patient: Patient, values: Mapping[str, float], time: float) -> Mapping[str, float] | None:
    """The values that are newer than what was taken before, and are taken now; None: nothing is."""
    newest = patient.newest
    taken = values
    for name in values:
        if time <= newest.get(name, NEVER):
            taken = {other: values[other] for other in values if time > newest.get(other, NEVER)}
            break
    if not taken and (values or time <= newest.get(CONTEXT_ALONE, NEVER)):
        return None
    for name in taken or (CONTEXT_ALONE,):
        newest[name] = time
    return taken


def admit(
    pipeline: Pipeline, patient: Patient, told: Context, values: Mapping[str, float],
    times: tuple[float, float],
) -> tuple[Moment, Admitted]:  # fmt: skip
    """The moment of a measurement, and what admission said. ``times``: measured, received."""
    (time, received), settings, watches = times, pipeline.config, patient.watches
    context.note(settings.context, patient.heard, time, told)
    watched = FAULT in watches or CONTACT in watches
    admitted = pipeline.admission.admit(values, time, told.contact, patient.tracks, watched)
    patient.quality += QUALITY_SHARE * ((0.0 if admitted.refused else 1.0) - patient.quality)
    rate = admitted.values.get("heart_rate")
    if rate is not None:
        context.note_heart_rate(settings.context, patient.heard, time, rate)
    here = context.place(settings.context, patient.heard, time)
    moment = Moment(
        time, received, admitted.values, here.activity, here.period, told.steps_per_min,
        told.contact, watches, {}, here.source,
    )  # fmt: skip
    return moment, admitted


def frozen(pipeline: Pipeline, patient: Patient, time: float) -> frozenset[str]:
    """Signals that an episode is open on, not yet long enough to be a new normal."""
    adopt = pipeline.config.baseline.adopt_after_seconds
    return frozenset(
        signal
        for kind, watch in open_kinds(patient.watches)
        if time - watch.onset < adopt
        for signal in KINDS[kind].signals
    )
