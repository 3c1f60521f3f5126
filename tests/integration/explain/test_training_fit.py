"""The training loop on a tiny model: it learns, stops, and goes on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from explain.facts.signature import Signature
from explain.training.examples import Encoded, encode_examples
from explain.training.fitting.batches import batches_by_length, shuffled_batches
from explain.training.fitting.checkpoint import FILE, State, load_checkpoint
from explain.training.fitting.fit import Stopped, Training
from explain.training.fitting.lora import adapter_weights, add_adapter, mean_weights
from explain.training.fitting.loss import batch_loss, mean_loss
from explain.training.fitting.options import Options
from explain.training.references import Reference
from tests.support import tiny_model
from vigil.service.errors import InputError

needs_torch = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "transformers", "peft")),
    reason="the extra `llm` is not installed",
)
pytestmark = pytest.mark.xdist_group("torch")  # imported once
OPTIONS = Options(
    epochs=3,
    batch=2,
    rate=0.02,
    rank=2,
    checks_per_epoch=1,
    checkpoint_steps=1,
    dropout=0.1,
    mean_of=1,
)
LEARN = [Encoded([2, 3, 4, 5, at % 9 + 6, at % 7 + 6, 1][: 4 + at % 4], 2) for at in range(8)]
JUDGE = [Encoded([2, 3, 4, 5, 8, 1], 2), Encoded([2, 3, 4, 7, 1], 2)]


class Silent:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.steps = 0
        self.checks: list[State] = []

    def step(self, state: State, steps: int, loss: float, rate: float) -> None:
        self.steps += 1

    def check(self, state: State, epoch: float) -> None:
        self.checks.append(replace(state))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models"))


@pytest.fixture
def training(base: Path, tmp_path: Path) -> Callable[..., tuple[Training, Any]]:
    def make(
        options: Options = OPTIONS, judge: Any = None, name: str = "run",
        passes: Callable[[], float] = lambda: 0.0,
    ) -> Any:  # fmt: skip
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(1)
        model = add_adapter(
            AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), options
        )
        folder = tmp_path / name
        made = Training(model, LEARN, judge or JUDGE, options, folder, "this run", passes)
        return made, model

    return make


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(bool((one[x] == other[x]).all()) for x in one)


@needs_torch
def test_it_learns_and_keeps_the_best(training: Any) -> None:
    run, model = training(replace(OPTIONS, epochs=6, patience=99), judge=LEARN)
    progress = Silent()
    state = run.run(progress)
    assert progress.steps == state.step == run.steps == 24
    found = [check.loss for check in state.checks]
    assert found[-1] < found[0]
    assert state.best.loss == min(found)
    assert mean_loss(model, batches_by_length(LEARN, 4), "cpu") == pytest.approx(
        state.best.loss, rel=1e-5
    )


@needs_torch
@pytest.mark.parametrize("at", [1, 5, 9])
def test_a_resumed_run_gives_the_weights_of_one_that_was_not_interrupted(
    training: Any, at: int
) -> None:
    training = partial(training, replace(OPTIONS, mean_of=2))
    whole, model = training(name="whole")
    whole.run(Silent())
    wanted = adapter_weights(model)
    ticks = count()
    broken, _ = training(name="broken")
    with pytest.raises(Stopped):
        broken.run(Silent(), stop=lambda: next(ticks) == at)
    again, model = training(name="broken")
    again.resume()
    assert again.state.step == at
    state = again.run(Silent())
    assert state.checks == whole.state.checks
    assert same(adapter_weights(model), wanted)


@needs_torch
def test_another_seed_gives_other_weights(training: Any) -> None:
    found = []
    for seed in (1, 1, 2):
        run, model = training(replace(OPTIONS, seed=seed, epochs=1))
        run.run(Silent())
        found.append(adapter_weights(model))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


@needs_torch
def test_it_ends_where_nothing_gets_better(training: Any) -> None:
    run, _ = training(replace(OPTIONS, rate=0.0, epochs=50, patience=2))
    progress = Silent()
    state = run.run(progress)
    assert len(progress.checks) == 3  # the first is the best; two bring nothing
    assert state.step == 12 < run.steps


@needs_torch
def test_of_two_checks_the_one_whose_answers_pass_is_kept_whatever_the_loss(training: Any) -> None:
    shares = iter([0.5, 0.9, 0.7, 0.9])
    run, model = training(replace(OPTIONS, epochs=4), passes=lambda: next(shares))
    kept: dict[int, Any] = {}

    class Keeping(Silent):
        def step(self, state: State, steps: int, loss: float, rate: float) -> None:
            kept[state.step] = adapter_weights(model)

    state = run.run(Keeping())
    alike = [check for check in state.checks if check.passed == 0.9]
    assert state.best == min(alike, key=lambda check: check.loss)
    assert same(adapter_weights(model), kept[state.best.step])


@needs_torch
def test_the_mean_of_the_last_checks_is_kept_and_training_goes_on_from_the_weights(
    training: Any,
) -> None:
    found = []
    for mean_of in (1, 3):
        run, model = training(replace(OPTIONS, mean_of=mean_of), passes=count().__next__)
        after: list[Any] = []

        class Keeping(Silent):
            def step(self, state: State, steps: int, loss: float, rate: float) -> None:
                after.append(adapter_weights(model))  # noqa: B023

        run.run(Keeping())
        found.append((after, adapter_weights(model)))
    (one, last), (other, mean) = found
    assert all(same(a, b) for a, b in zip(one, other, strict=True))
    assert same(last, one[11])
    assert same(mean, mean_weights([other[3], other[7], other[11]]))


@needs_torch
def test_a_checkpoint_of_another_run_or_a_broken_one_is_refused(
    training: Any, tmp_path: Path
) -> None:
    run, _ = training()
    with pytest.raises(InputError, match="no checkpoint"):
        run.resume()
    run.run(Silent())
    with pytest.raises(InputError, match="other sentences, options or another base"):
        load_checkpoint(tmp_path / "run", "another run")
    (tmp_path / "run" / FILE).write_bytes(b"PK, or so")
    with pytest.raises(InputError, match="cannot be read") as caught:
        run.resume()
    assert caught.value.code == "input.broken_checkpoint"


@needs_torch
def test_padding_changes_no_loss(training: Any) -> None:
    _, model = training()
    model.eval()
    apart = [batch_loss(model, [example], "cpu") for example in JUDGE]
    summed, tokens = batch_loss(model, JUDGE, "cpu")
    assert tokens == sum(count for _, count in apart) == 7
    assert float(summed.detach()) == pytest.approx(
        sum(float(x.detach()) for x, _ in apart), rel=2e-2
    )


@needs_torch
def test_the_loss_is_on_the_answer_alone(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    source = Signature("en", "patient", "heart_rate_high", "above", "opened", slots=("heart_rate",))
    text = "Your heart rate is high , at {heart_rate} ."
    (found,) = encode_examples(tokenizer, [Reference(source, "now", text)])
    asked, answer = found.tokens[: found.start], found.tokens[found.start :]
    assert tokenizer.convert_ids_to_tokens(asked)[-1] == "=>"
    assert answer[-1] == tokenizer.eos_token_id
    assert tokenizer.convert_ids_to_tokens(answer)[:4] == ["Your", "heart", "rate", "is"]


@given(
    lengths=st.lists(st.integers(3, 40), min_size=1, max_size=120),
    size=st.integers(1, 9),
    seed=st.integers(0, 3),
)
def test_every_example_is_in_one_batch_and_the_order_is_the_seed_s(
    lengths: list[int], size: int, seed: int
) -> None:
    examples = [Encoded([at, *range(length)], 1) for at, length in enumerate(lengths)]
    made = shuffled_batches(examples, size, seed, epoch=2)
    assert made == shuffled_batches(examples, size, seed, epoch=2)
    assert sorted(x.tokens for x in chain(*made)) == sorted(x.tokens for x in examples)
    assert len(made) == -(-len(examples) // size)
    assert all(len(batch) <= size for batch in made)
    assert sorted(x.tokens for x in chain(*batches_by_length(examples, size))) == sorted(
        x.tokens for x in examples
    )
