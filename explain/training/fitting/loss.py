"""The loss of a batch: of the answers' tokens only, as what is asked need not be learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from explain.training.examples import Encoded


def batch_loss(model: Any, batch: Sequence[Encoded], device: str) -> tuple[Any, int]:
    """The summed cross-entropy of the answers' tokens, and how many they are.

    Only where an answer stands are words predicted at all: the vocabulary is the largest layer.
    """
    import torch  # noqa: PLC0415

    length = max(len(example.tokens) for example in batch)
    tokens = torch.zeros(len(batch), length, dtype=torch.long)
    present, answers = torch.zeros_like(tokens), torch.zeros_like(tokens, dtype=torch.bool)
    for row, example in enumerate(batch):
        end = len(example.tokens)
        tokens[row, :end] = torch.tensor(example.tokens)
        present[row, :end] = 1
        answers[row, example.start : end] = True
    tokens, present, answers = tokens.to(device), present.to(device), answers.to(device)
    inner = model.get_base_model()
    with torch.autocast(device, dtype=torch.bfloat16):
        hidden = inner.get_decoder()(input_ids=tokens, attention_mask=present).last_hidden_state
        scores = inner.get_output_embeddings()(hidden[:, :-1][answers[:, 1:]])
    wanted = tokens[:, 1:][answers[:, 1:]]
    return torch.nn.functional.cross_entropy(scores.float(), wanted, reduction="sum"), len(wanted)


def mean_loss(model: Any, batches: Sequence[Sequence[Encoded]], device: str) -> float:
    """The mean loss a token over batches; the model is not changed."""
    import torch  # noqa: PLC0415

    model.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for batch in batches:
            loss, tokens = batch_loss(model, batch, device)
            total, count = total + float(loss), count + tokens
    model.train()
    return total / max(count, 1)
