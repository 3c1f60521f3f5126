"""How the adapter is fitted."""

from __future__ import annotations

from msgspec import Struct


class Options(Struct, frozen=True):
    """What settles a training run besides its data; all of it is in the adapter's card."""

    seed: int = 7
    epochs: int = 4
    """At most; early stopping may end it sooner."""
    batch: int = 16
    rate: float = 5e-4
    """The learning rate at its highest, after the warm-up; it falls to a tenth as a cosine. With
    twice this and eight epochs, the validation loss was at its lowest before the third."""
    warm_up: float = 0.06
    """Share of all steps in which the rate rises from nothing."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of a step's gradient."""
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.1
    checks_per_epoch: int = 2
    """How often an epoch the validation loss is measured."""
    patience: int = 4
    """Checks in a row that bring nothing better, after which training ends."""
    checkpoint_steps: int = 25
