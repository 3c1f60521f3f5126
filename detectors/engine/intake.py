"""One reading on its way in: what of it is new, what is let through, what may be learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter, le

from msgspec.structs import replace

from detectors.admission.rules import CONTACT, FAULT, Admitted
from detectors.admission.sources import Chosen
from detectors.context import activity as context
from detectors.contract import Moment
from detectors.engine import gaps, late_readings
from detectors.engine.pipeline import Pipeline
from detectors.engine.state import Patient
from detectors.episodes.memory import NEVER, open_kinds
from detectors.sections.intake.late import Late
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Context, Measurement, Upload
from vigil.domain.signals import NAMES

CONTEXT_ALONE = "context"
"""Stands among the signals for a reading that tells of activity alone."""
QUALITY_SHARE = 0.02
"""Weight of the newest reading in the running share of what was admitted."""
KNOWN = frozenset(NAMES)
_by_time = attrgetter("time")


def in_order(measurements: Sequence[Measurement]) -> Sequence[Measurement]:
    """An upload's measurements in order of time, in which they are judged.

    The gateway writes them so; another producer's device may send the newest first.
    """
    times = [measurement.time for measurement in measurements]
    if all(map(le, times, times[1:])):
        return measurements
    return sorted(measurements, key=_by_time)


def known(measurement: Measurement) -> Measurement:
    """A measurement without the signals that are not in the signals table.

    The schema allows any name: a newer Vigil's producer may measure what this one does not know.
    What it does know is judged as if the rest had not been sent.
    """
    values = measurement.values
    return replace(measurement, values={name: values[name] for name in values if name in KNOWN})


def by_name(measurement: Measurement) -> Measurement:
    """A measurement with its values in order of name, as they are on the wire.

    Of two findings that weigh the same the first is told, so the order must not be the sender's.
    """
    names = sorted(measurement.values)
    if names == list(measurement.values):
        return measurement
    return replace(measurement, values={name: measurement.values[name] for name in names})


def chosen(
    pipeline: Pipeline, patient: Patient, device: str, values: Mapping[str, float], time: float
) -> Chosen:
    """What one of several devices is believed about. That the rest came is remembered."""
    taken = pipeline.sources.choose(patient.devices, device, time, values, patient.tracks)
    if len(taken.values) < len(values) and pipeline.config.late.enabled:
        rest = values.keys() - taken.values.keys()
        patient.past = gaps.overlooked(patient.past, patient.newest, rest, time)
    return taken


def newer(
    patient: Patient, values: Mapping[str, float], time: float, late: Late
) -> Mapping[str, float] | None:
    """The values that are newer than what was taken before, and are taken now; None: nothing is.

    ``patient.newest`` is the patient's watermark, signal by signal. Where it moves on by more than
    usual it leaves a gap, which late readings may still fill.
    """
    newest, taken, wide, far = patient.newest, values, False, late.gap_seconds
    usual = late.usual_intervals * patient.hearing.mean_seconds
    far = max(far, usual)
    for name in values:
        before = newest.get(name, NEVER)
        if time <= before:
            taken = {other: values[other] for other in values if time > newest.get(other, NEVER)}
            wide = bool(taken)
            break
        if time - before > far:
            wide = True
    if not taken and (values or time <= newest.get(CONTEXT_ALONE, NEVER)):
        return None
    if wide and late.enabled:
        _leave_gaps(patient, taken, time, late)
    for name in taken or (CONTEXT_ALONE,):
        newest[name] = time
    return taken


def _leave_gaps(patient: Patient, taken: Mapping[str, float], time: float, late: Late) -> None:
    """Remember what the watermark leaves behind where it moves on by more than usual."""
    if not patient.first:
        patient.first = time
        return
    newest, usual = patient.newest, late.usual_intervals * patient.hearing.mean_seconds
    for name in taken:
        if time - newest.get(name, NEVER) > usual:
            patient.past = gaps.widened(patient.past, _known(patient), taken, time, late)
            return


def far_behind(
    pipeline: Pipeline, patient: Patient, values: Mapping[str, float], time: float
) -> bool:
    """Whether a reading is so much older than what was taken that devices cannot be compared."""
    near = time + pipeline.config.sources.same_moment_seconds
    return bool(values) and all(near < patient.newest.get(name, NEVER) for name in values)


def fill(
    pipeline: Pipeline, patient: Patient, upload: Upload, measurement: Measurement, now: float
) -> list[late_readings.Told] | None:
    """Judge what of a late reading fills a gap; None: nothing of it does, and nothing changed.

    Args:
        now: receive time, as far as the clock has come.
    """
    settings = pipeline.config.late
    if not settings.enabled or not patient.first:
        return None
    times = measurement.time.timestamp(), upload.received_at.timestamp()
    known = _known(patient)
    past, placed = gaps.place(patient.past, known, measurement.values, times, settings)
    if not placed.values:
        return None
    patient.past = past
    here = patient.lane = patient.lane or late_readings.Lane({}, {})
    told = late_readings.enter(pipeline, here, placed.until)
    here.received, here.synthetic = max(here.received, now), upload.synthetic
    read, own = (measurement.context, placed.values), (past, patient.watches)
    return told + late_readings.take(pipeline, here, read, times, own)


def caught_up(pipeline: Pipeline, patient: Patient) -> list[late_readings.Told]:
    """No more late readings are expected: end what they showed."""
    if patient.lane is None:
        return []
    told = late_readings.end(pipeline, patient.lane)
    patient.lane = None
    patient.past = gaps.tidied(patient.past, _known(patient), pipeline.config.late)
    return told


def _known(patient: Patient) -> gaps.Known:
    return gaps.Known(patient.newest, patient.first, patient.hearing.mean_seconds)


def admit(
    pipeline: Pipeline,
    patient: Patient,
    told: Context,
    values: Mapping[str, float],
    times: tuple[float, float],
) -> tuple[Moment, Admitted]:
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
        time,
        received,
        admitted.values,
        here.activity,
        here.period,
        told.steps_per_min,
        told.contact,
        watches,
        {},
        here.source,
    )
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
