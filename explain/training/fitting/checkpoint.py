"""The state of a training run on disk, so that it can be interrupted at any step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from vigil.service.errors import InputError

FILE = "checkpoint.pt"


class Check(Struct, frozen=True):
    """What one validation found."""

    step: int
    learnt: float
    """The mean training loss a token since the last check."""
    loss: float
    """The validation loss a token."""
    passed: float
    """Share of the validation's signatures whose likeliest answer the verifier passes."""


class State(Struct):
    """What changes from step to step, besides weights and optimizer."""

    step: int = 0
    best: Check = Check(step=0, learnt=0.0, loss=1e30, passed=-1.0)
    """The check whose weights are kept; before the first, one that is worse than any."""
    waited: int = 0
    """Checks in a row that brought nothing better."""
    seconds: float = 0.0
    """Spent in steps and checks, over all runs."""
    checks: list[Check] = []


def save_checkpoint(folder: Path, fingerprint: str, state: State, tensors: dict[str, Any]) -> None:
    """Write a checkpoint in place of the last; a crash meanwhile leaves that whole."""
    import msgspec  # noqa: PLC0415
    import torch  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{FILE}"
    plain = msgspec.json.encode(state).decode()
    torch.save({"fingerprint": fingerprint, "state": plain, **tensors}, fresh)
    fresh.replace(folder / FILE)


def load_checkpoint(folder: Path, fingerprint: str) -> tuple[State, dict[str, Any]]:
    """The checkpoint of a folder.

    Raises:
        InputError: there is none, it is damaged, or it is of other data, options or another base.
    """
    import msgspec  # noqa: PLC0415
    import torch  # noqa: PLC0415

    path = folder / FILE
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
        state = msgspec.json.decode(found.pop("state"), type=State)
        same = found.pop("fingerprint") == fingerprint
    except FileNotFoundError:
        raise checkpoint_refused(
            f"There is no checkpoint in {folder}.", "Train without --resume."
        ) from None
    except Exception as error:  # a damaged file can make torch raise anything
        why = f"{path} cannot be read: {type(error).__name__}."
        raise checkpoint_refused(why, "Delete it and train without --resume.") from None
    if not same:
        raise checkpoint_refused(
            f"{path} is of a run with other sentences, options or another base model.",
            "Give the same options as then, or train without --resume.",
        )
    return state, found


def checkpoint_refused(why: str, how_to_fix: str) -> InputError:
    """The error for a checkpoint that cannot be gone on from."""
    return InputError(why, code="input.broken_checkpoint", field="--resume", how_to_fix=how_to_fix)
