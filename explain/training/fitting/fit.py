"""The training loop: AdamW, warm-up and cosine, early stopping, checkpoints, Ctrl-C.

A run is a function of its data, its options and the base: batches and dropout are drawn from seed
and step, so that a run that was interrupted and resumed gives the weights of one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from explain.training.examples import Encoded
from explain.training.fitting.batches import batches_by_length, shuffled_batches
from explain.training.fitting.checkpoint import Check, State, load_checkpoint, save_checkpoint
from explain.training.fitting.lora import adapter_weights, mean_weights, restore_weights
from explain.training.fitting.loss import batch_loss, mean_loss
from explain.training.fitting.options import Options

FLOOR = 0.1
"""The rate at the end, as a share of the highest."""


class Report(Protocol):
    """Receives the progress of a run."""

    def step(self, state: State, steps: int, loss: float, rate: float) -> None:
        """After each step; ``steps`` is how many there are at most."""

    def check(self, state: State, epoch: float) -> None:
        """After each validation, the last of ``state.checks``."""


class Stopped(Exception):  # noqa: N818  (a state, not a mistake)
    """The run was asked to stop; its state is in the checkpoint."""


class Training:
    """One run of fitting an adapter.

    Args:
        model: the base with the adapter, from :func:`explain.training.fitting.lora.add_adapter`.
        learn: what it learns from.
        judge: what it does not learn from; its loss settles between checks that pass alike.
        passes: the share of its answers that pass. This, and not the loss, decides which weights
            are the best and when to stop: the loss of phrasings that it has not learnt rises after
            the third epoch, while it still learns to place every slot correctly.
        fingerprint: names data, options and base, so that no other run's checkpoint is taken.
    """

    def __init__(
        self,
        model: Any,
        learn: Sequence[Encoded],
        judge: Sequence[Encoded],
        options: Options,
        folder: Path,
        fingerprint: str,
        passes: Callable[[], float] = lambda: 0.0,
        device: str = "cpu",
    ):
        import torch  # noqa: PLC0415

        self._torch: Any = torch
        self.model = model.to(device)
        self._learn, self._options, self.device = learn, options, device
        self._passes = passes
        self._judge = batches_by_length(judge, 2 * options.batch)
        self._folder, self._fingerprint = folder, fingerprint
        self._trained = [value for value in model.parameters() if value.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._trained, lr=options.rate, weight_decay=options.weight_decay
        )
        self._per_epoch = math.ceil(len(learn) / options.batch)
        self.steps = self._per_epoch * options.epochs
        """How many steps there are at most."""
        self.state = State()
        self._best: dict[str, Any] = adapter_weights(model)
        self._recent: list[dict[str, Any]] = []
        self._since_check: list[float] = []

    def resume(self) -> None:
        """Go on from the checkpoint.

        Raises:
            InputError: there is none of this run.
        """
        self.state, tensors = load_checkpoint(self._folder, self._fingerprint)
        restore_weights(self.model, tensors["weights"])
        self._best, self._recent = tensors["best"], tensors["recent"]
        self._since_check = tensors["since_check"]
        self._optimizer.load_state_dict(tensors["optimizer"])

    def run(self, report: Report, stop: Callable[[], bool] = lambda: False) -> State:
        """Train until the end, or until nothing gets better; the model is then the best one seen.

        Raises:
            Stopped: ``stop`` returned True; a checkpoint was written.
        """
        self.model.train()
        while not self._finished():
            if stop():
                self._save()
                raise Stopped
            started = time.monotonic()
            found, rate = self._step()
            self.state.seconds += time.monotonic() - started
            report.step(self.state, self.steps, found, rate)
            if self._check_is_due():
                self._check(report)
            if self.state.step % self._options.checkpoint_steps == 0:
                self._save()
        self._save()
        restore_weights(self.model, self._best)
        return self.state

    def _finished(self) -> bool:
        return self.state.step >= self.steps or self.state.waited >= self._options.patience

    def _step(self) -> tuple[float, float]:
        """Learn from one batch; its loss a token, and the rate."""
        epoch, at = divmod(self.state.step, self._per_epoch)
        batch = shuffled_batches(
            self._learn, self._options.batch, seed=self._options.seed, epoch=epoch
        )[at]
        self._torch.manual_seed(self._options.seed * 1_000_003 + self.state.step)  # for dropout
        rate = rate_at(self.state.step, self.steps, self._options)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        summed, tokens = batch_loss(self.model, batch, self.device)
        mean = summed / tokens
        mean.backward()
        self._torch.nn.utils.clip_grad_norm_(self._trained, self._options.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.state.step += 1
        self._since_check.append(float(mean.detach()))
        return self._since_check[-1], rate

    def _check_is_due(self) -> bool:
        every = max(1, self._per_epoch // self._options.checks_per_epoch)
        return self.state.step % every == 0 or self.state.step == self.steps

    def _check(self, report: Report) -> None:
        """Judge the mean of the last weights; those that are trained go on as they were."""
        started = time.monotonic()
        state, now = self.state, adapter_weights(self.model)
        self._recent = [*self._recent, now][-self._options.mean_of :]
        mean = mean_weights(self._recent)
        restore_weights(self.model, mean)
        check = self._judged()
        restore_weights(self.model, now)
        state.checks.append(check)
        if (check.passed, -check.loss) > (state.best.passed, -state.best.loss):
            state.best, state.waited, self._best = check, 0, mean
        else:
            state.waited += 1
        state.seconds += time.monotonic() - started
        report.check(state, state.step / self._per_epoch)

    def _judged(self) -> Check:
        learnt = sum(self._since_check) / len(self._since_check)
        self._since_check = []
        found = mean_loss(self.model, self._judge, self.device)
        self.model.eval()
        check = Check(step=self.state.step, learnt=learnt, loss=found, passed=self._passes())
        self.model.train()
        return check

    def _save(self) -> None:
        tensors = {
            "weights": adapter_weights(self.model),
            "best": self._best,
            "recent": self._recent,
            "since_check": self._since_check,
            "optimizer": self._optimizer.state_dict(),
        }
        save_checkpoint(self._folder, self._fingerprint, state=self.state, tensors=tensors)


def rate_at(step: int, steps: int, options: Options) -> float:
    """The learning rate of a step, counted from 0: a warm-up, then half a cosine.

    >>> options = Options(rate=1.0, warm_up=0.1)
    >>> [round(rate_at(step, 100, options), 2) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.55, 0.1]
    """
    rising = max(1, round(steps * options.warm_up))
    if step < rising:
        return options.rate * (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return options.rate * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * done)) / 2)
