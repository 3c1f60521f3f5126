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
    checks_per_epoch: int = 2
    """How often an epoch validation is done."""
    mean_of: int = 3
    """The adapter is the mean of the weights of so many checks in a row (Izmailov et al. 2018)."""
    patience: int = 6
    """Checks in a row that bring nothing better, after which training ends."""
    checkpoint_steps: int = 25
