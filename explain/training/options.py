"""How the adapter is fitted."""

from __future__ import annotations

from msgspec import Struct


class Options(Struct, frozen=True):
    """What settles a training run besides its data; all of it is in the adapter's card."""

    seed: int = 7
    epochs: int = 8
    """At most; early stopping may end it sooner."""
    batch: int = 16
    rate: float = 1e-3
    """The learning rate at its highest, after the warm-up; it falls to a tenth as a cosine."""
    warm_up: float = 0.06
    """Share of all steps in which the rate rises from nothing."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of a step's gradient."""
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05
    checks_per_epoch: int = 1
    """How often an epoch validation is done."""
    patience: int = 4
    """Checks in a row that bring nothing better, after which training ends."""
    checkpoint_steps: int = 25
