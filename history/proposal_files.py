"""A budget's proposal as a file, and its transfer into the operator's detection file.

Nothing is applied automatically. ``vigil budget approve`` is a person's decision: it writes the
figures into the file that VIGIL_DETECTION_CONFIG names, keeps the file's comments, adds to each
figure a comment with name and date, and appends the approval to a log in the same folder. The
detectors read the file at their next start.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import tomlkit

from detectors.configuration.loading import from_tables, load
from detectors.tuning.knobs import knobs, with_values
from detectors.tuning.proposal import FORM, Proposal
from vigil.service.errors import InputError, VigilError

if TYPE_CHECKING:
    from detectors.configuration.patient import PatientConfig
    from detectors.tuning.proposal import Change, Proposal


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's approval."""

    by: str
    why: str
    time: datetime


@dataclass(frozen=True, slots=True)
class OperatorFile:
    """The text of the operator's detection file; empty where there is none."""

    text: str

    @property
    def tables(self) -> dict[str, Any]:
        """Its content as TOML tables."""
        return tomllib.loads(self.text)

    @property
    def digest(self) -> str:
        """SHA-256 of its content in hex; empty where there is none."""
        return sha256(self.text.encode()).hexdigest() if self.text else ""


def read_operator_file(path: Path | None) -> OperatorFile:
    """Read the operator's file and check everything in it.

    Raises:
        SettingsError: it cannot be used.
    """
    if path is None:
        return OperatorFile("")
    load(path)
    return OperatorFile(path.read_bytes().decode("utf-8"))


def format_proposal(proposal: Proposal) -> str:
    """Format a proposal as TOML: equal for equal histories and configurations."""
    document = tomlkit.document()
    for line in (
        "Proposed by `vigil budget propose`. Read it; then `vigil budget approve` puts the changes",
        "into force, or leave it. docs/backtest.md says what each part means.",
    ):
        document.add(tomlkit.comment(line))
    for key, value in _without_none(msgspec.to_builtins(proposal)).items():
        document.add(key, tomlkit.item(value))
    return tomlkit.dumps(document)


def read_proposal(path: Path) -> Proposal:
    """Read a proposal.

    Raises:
        InputError: ``input.broken_proposal``.
    """
    try:
        proposal = msgspec.convert(_with_none(tomllib.loads(path.read_text("utf-8"))), Proposal)
    except OSError as error:
        raise broken_proposal(path, f"it cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise broken_proposal(path, f"it is no proposal: {error}") from None
    if proposal.form != FORM:
        raise broken_proposal(path, f"it has form {proposal.form}, and this version reads {FORM}")
    return proposal


def approve(path: Path, config: Path, approval: Approval) -> Proposal:
    """Write a proposal's changes into the operator's file, completely or not at all.

    Raises:
        InputError: the proposal is broken, empty, beyond the bounds, or was made for another
            file.
        SettingsError: the file cannot be used.
    """
    proposal = read_proposal(path)
    operator = read_operator_file(config if config.exists() else None)
    if operator.digest != proposal.config_sha256:
        raise InputError(
            f"{config} is not the file that {path} was made for.",
            code="input.stale_proposal",
            field=str(path),
            how_to_fix="Make the proposal anew with `vigil budget propose`.",
        )
    if not proposal.changes:
        raise broken_proposal(path, "it holds no change")
    wanted = operator.tables
    for change in proposal.changes:
        check_change(path, change, wanted)
        wanted = with_values(wanted, change.table, {(change.key,): change.after})
    if from_tables(wanted, str(config)).config_hash != proposal.config_hash_after:
        raise broken_proposal(path, "its changes do not make the configuration that was played")
    text = merge_changes(operator, proposal, approval)
    if tomllib.loads(text) != wanted:
        raise broken_proposal(
            path, "its changes cannot be written into the file; put them there by hand"
        )
    _log_approval(path, config, proposal, approval)
    _write_config(config, text)
    return proposal


def check_change(path: Path, change: Change, tables: Mapping[str, Any]) -> None:
    """Check a change against the bounds in force, whatever the proposal's file contains.

    Raises:
        InputError: it may not be proposed: a high-priority rule, beyond its bound, in the wrong
            direction, or between its steps.
    """
    where, figure = _split((*change.table, change.key))
    config = from_tables(tables)
    own: PatientConfig = config.everyone
    if where[:1] == ("patients",):
        own = config.config_for(where[1])
    elif where:
        own = next((w.config for w in config.wards if w.name == where[1]), own)
    knob = next((knob for knob in knobs(own) if knob.path == figure), None)
    name = ".".join((*change.table, change.key))
    if knob is None:
        raise broken_proposal(path, f"{name} may not be changed by a proposal")
    if change.after not in knob.rungs:
        raise broken_proposal(
            path, f"{change.after:g} is beyond what {name} may be, {knob.rungs[-1]:g}"
        )


def merge_changes(operator: OperatorFile, proposal: Proposal, approval: Approval) -> str:
    """Return the operator's text with the changes; everything else stays unchanged."""
    document = tomlkit.parse(operator.text)
    for change in proposal.changes:
        table: Any = document
        for number, name in enumerate(change.table, 1):
            if name not in table:
                last = number == len(change.table)
                table.add(name, tomlkit.table(is_super_table=not last))
            table = table[name]
        value = tomlkit.float_(repr(float(change.after)))
        table[change.key] = value
        note = f"{approval.time:%Y-%m-%d} {one_line(approval.by)}: was {change.before:g}"
        table[change.key].comment(note)
    return tomlkit.dumps(document)


def approval_log(config: Path) -> Path:
    """The path of the log of a file's approvals."""
    return config.with_name(f"{config.stem}.approvals.toml")


def one_line(text: str) -> str:
    """Put a text on one line, for a comment.

    >>> one_line("Anna\\nBerg")
    'Anna Berg'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def broken_proposal(path: Path, what: str) -> VigilError:
    """The error for a proposal that cannot be used."""
    return InputError(
        f"The proposal cannot be used: {what}.",
        code="input.broken_proposal",
        field=str(path),
        how_to_fix="Make it anew with `vigil budget propose`.",
    )


def _split(path: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split a path into the ward's or patient's tables and the figure below them."""
    own = path[:1] in {("wards",), ("patients",)}
    return (path[:2], path[2:]) if own else ((), path)


def _log_approval(path: Path, config: Path, proposal: Proposal, approval: Approval) -> None:
    """Append the approval to the log; called before the file is changed."""
    entry = {
        "time": approval.time,
        "by": one_line(approval.by),
        "why": one_line(approval.why),
        "proposal": path.name,
        "proposal_sha256": sha256(path.read_bytes()).hexdigest(),
        "config_hash_before": proposal.config_hash,
        "config_hash_after": proposal.config_hash_after,
        "changes": msgspec.to_builtins(proposal.changes),
    }
    text = tomlkit.dumps({"approval": [entry]})
    try:
        with approval_log(config).open("a", encoding="utf-8") as log:
            log.write(f"{text}\n")
    except OSError as error:
        raise _cannot_write(approval_log(config), error) from None


def _write_config(config: Path, text: str) -> None:
    part = config.with_name(f"{config.name}.part")
    try:
        part.write_text(text, "utf-8")
        if config.exists():
            part.chmod(config.stat().st_mode & 0o777)
        part.replace(config)
    except OSError as error:
        raise _cannot_write(config, error) from None


def _cannot_write(path: Path, error: OSError) -> VigilError:
    return InputError(
        f"{path} cannot be written: {error.strerror}.",
        code="input.wrong_type",
        field=str(path),
        how_to_fix="Give write permission to the user of this command.",
    )


def _without_none(value: Any) -> Any:
    """Leave out keys whose value is None, which TOML does not have."""
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, list | tuple) else value


def _with_none(value: Any) -> Any:
    """Add the optional figures of a listed alarm as None where they are left out."""
    if isinstance(value, list):
        return [_with_none(each) for each in value]
    if not isinstance(value, dict):
        return value
    read_ = {key: _with_none(each) for key, each in value.items()}
    listed = {"onset", "told_at"} <= read_.keys()
    return {"ended_at": None, "limit": None, "extreme": None, **read_} if listed else read_
