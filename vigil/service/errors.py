"""Every error that Vigil raises on purpose.

    VigilError
    ├── InputError           a reading, body or file that cannot be taken     (input.*)
    ├── AccessError          no key, a wrong key, or not this patient's       (access.*)
    ├── WireError            a message on a topic that cannot be read         (wire.*)
    ├── SettingsError        a setting is missing, default or contradictory   (settings.*)
    ├── UnavailableError     a part that Vigil needs does not answer          (unavailable.*)
    └── StaleOwnerError      another worker owns this partition by now        (stale_owner)

Each carries a stable ``code`` (listed in ``docs/errors.md``; a test holds the two together), says
*what* is wrong and *where*; its ``how_to_fix`` says what the reader can do about it. Codes are API:
they may be added, never renamed.
"""

from __future__ import annotations

CODES: dict[str, str] = {
    "input.broken_json": "The body is not JSON.",
    "input.too_large": "The body or the list of readings is larger than allowed.",
    "input.missing_field": "A required field is absent.",
    "input.unknown_field": "A field that Vigil does not know.",
    "input.wrong_type": "A field has the wrong type or form.",
    "input.no_values": "A reading with neither a vital sign nor any context.",
    "input.unknown_signal": "A signal that is not in the signals table.",
    "input.unknown_unit": "A unit that cannot be converted to the signal's unit.",
    "input.impossible_value": "A value outside the physically possible range.",
    "input.sentinel_value": "A number by which a format says that there is no value.",
    "input.systolic_not_above_diastolic": "Systolic must be greater than diastolic.",
    "input.incomplete_pair": "A diastolic pressure without a systolic one.",
    "input.naive_time": "A time without an offset from UTC.",
    "input.future_time": "A time later than now, beyond the tolerance for clock error.",
    "input.ancient_time": "A time before the year 2000.",
    "input.unknown_reading": "A reading that is not stored of this patient.",
    "input.withdrawn_already": "A reading that was withdrawn before.",
    "input.unknown_patient": "A patient who is not enrolled, or no longer is.",
    "input.broken_recording": "A recording file that cannot be read.",
    "input.no_history": "No reading to judge in the files or the range that were named.",
    "input.broken_labels": "A file of labels that cannot be used.",
    "input.broken_phrasebook": "A phrasebook, or a line of one, that cannot be used.",
    "input.broken_proposal": "A budget's proposal that cannot be used.",
    "input.not_there": "A worker, or an offset of a topic, where nothing can be skipped.",
    "input.stale_proposal": "A proposal for another configuration than the present one.",
    "input.broken_checkpoint": "A training run that cannot be resumed.",
    "input.wrong_content_type": "A body of a content type that is not accepted there.",
    "input.bad_text": "A text with a character that cannot be stored or shown.",
    "input.too_slow": "A request that did not arrive in time.",
    "input.unknown_path": "A path that the API does not have.",
    "input.wrong_method": "A method that this path of the API does not support.",
    "access.no_key": "The request carries no device key.",
    "access.wrong_key": "The device key is not known, or is revoked.",
    "access.before_assignment": "A reading from before its device was assigned to this patient.",
    "access.not_your_patient": "The device is not assigned to this patient.",
    "wire.broken_message": "A message that is not the JSON its type promises.",
    "wire.out_of_bounds": "A message with a time or number out of bounds.",
    "wire.unknown_type": "A message whose ce_type Vigil does not know.",
    "wire.rejected": "A well-formed message whose content a worker cannot apply.",
    "wire.too_large": "A message larger than the broker accepts.",
    "wire.refused": "A message that the broker refuses, and always will.",
    "wire.skipped": "A message that an operator made a worker skip.",
    "wire.newer_state": "A detector state that a newer Vigil wrote.",
    "wire.breaking_change": "A change that breaks readers of a published schema.",
    "settings.invalid": "A setting cannot be read.",
    "detection.plugin_muted": "A plug-in detector raised an error, or grew too large.",
    "settings.demo_data": "A demonstration's data, where a real system is to start.",
    "settings.real_data": "A real system's data, where a demonstration is to start.",
    "settings.default_secret": "A default secret outside the demo.",
    "settings.wrong_database": "The database is another application's, or not as Vigil needs it.",
    "settings.old_database": "PostgreSQL or TimescaleDB is older than Vigil needs.",
    "unavailable.broker": "The Kafka broker does not answer.",
    "unavailable.broker_access": "The Kafka broker denies access, or access to a topic.",
    "unavailable.broker_full": "The Kafka broker cannot write to its disk.",
    "unavailable.broker_topics": "A topic is missing, or lacks what Vigil needs.",
    "unavailable.database": "The database does not answer.",
    "unavailable.database_access": "The database denies access, or access to what Vigil needs.",
    "unavailable.database_connections": "The database accepts no more connections.",
    "unavailable.database_read_only": "The database accepts no writes.",
    "unavailable.database_slow": "The database did not finish in time.",
    "unavailable.database_full": "The database's disk is full.",
    "unavailable.schema": "The database lacks migrations of this version of Vigil.",
    "unavailable.schema_newer": "The database was migrated by a newer version of Vigil.",
    "unavailable.state_newer": "A patient's state was written by a newer version of Vigil.",
    "unavailable.timescaledb": "The server's TimescaleDB is not the one that the tables need.",
    "unavailable.busy": "The limit of simultaneous requests is reached.",
    "unavailable.part": "A part of the local runtime did not start or cannot be found.",
    "unavailable.model": "The language model is not installed, is damaged or cannot be fetched.",
    "stale_owner": "Another worker has taken over this partition; this one must stop.",
}


class VigilError(Exception):
    """Root of the tree. ``str()`` is one line: where, what, how to fix it, and the code.

    Args:
        message: what is wrong, as a sentence.
        code: one of :data:`CODES`.
        how_to_fix: what the reader can do about it, as a sentence; empty: nothing.
        field: the field, setting or header at fault.

    Raises:
        ValueError: the code is not in :data:`CODES`.
    """

    code: str = ""

    def __init__(self, message: str, *, code: str, how_to_fix: str = "", field: str | None = None):
        if code not in CODES:
            raise ValueError(f"{code!r} is not a known error code")  # a slip of ours
        super().__init__(message)
        self.message = message
        self.code = code
        self.how_to_fix = how_to_fix
        self.field = field

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        how_to_fix = f" {self.how_to_fix}" if self.how_to_fix else ""
        return f"{where}{self.message}{how_to_fix} [{self.code}]"


class InputError(VigilError):
    """A reading, a body or a file that cannot be accepted as it is. The sender can fix it."""


class AccessError(VigilError):
    """The caller may not do this."""


class WireError(VigilError):
    """A message on a topic that cannot be read or applied; it goes to the dead letters."""


class SettingsError(VigilError):
    """A setting is missing, still a default secret, or contradicts another."""


class UnavailableError(VigilError):
    """A part that Vigil needs does not answer now. Retrying loses nothing."""


class StaleOwnerError(VigilError):
    """A newer owner has claimed the partition; raised by the checkpoint store."""

    def __init__(self, message: str):
        super().__init__(
            message, code="stale_owner", how_to_fix="Nothing to do: the newer owner continues."
        )
