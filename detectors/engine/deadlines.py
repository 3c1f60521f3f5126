"""When time alone changes something of a patient: the earliest of all that waits."""

from __future__ import annotations

from detectors.admission import held_readings
from detectors.engine import missing_data
from detectors.engine.state import Patient
from detectors.sections.patient import PatientConfig


def due(config: PatientConfig, patient: Patient) -> float:
    """The receive time at which the next of what waits is over; infinite: nothing waits."""
    first = silence_due(config, patient)
    if patient.held:
        first = min(first, held_readings.deadline(patient.held, config.admission.confirm_seconds))
    if patient.lane is not None:
        first = min(first, lane_due(config, patient))
    return first


def silence_due(config: PatientConfig, patient: Patient) -> float:
    """When silence is told, or when one who is silent counts as gone."""
    if missing_data.KIND in patient.watches:
        return missing_data.gone_at(config.silence, patient.hearing)
    return missing_data.deadline(config.silence, patient.hearing)


def lane_due(config: PatientConfig, patient: Patient) -> float:
    """When no more late readings are expected."""
    if patient.lane is None:
        return missing_data.NEVER
    return patient.lane.received + config.late.idle_seconds
