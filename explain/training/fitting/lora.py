"""The adapter: low-rank updates of the linear layers (LoRA, Hu et al. 2021), by peft."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from explain.language_model.adapter import CONFIG, WEIGHTS
from explain.training.fitting.options import Options

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def add_adapter(base: Any, options: Options) -> Any:
    """The base with an adapter that changes nothing yet; only the adapter is trained.

    The base's linear layers go to bf16, in which they came and in which autocast multiplies.
    """
    import torch  # noqa: PLC0415
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415

    torch.manual_seed(options.seed)
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=list(TARGETS),
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # between the two
        model = get_peft_model(base, config)
    for name, layer in model.named_modules():
        if name.endswith(".base_layer"):
            layer.to(torch.bfloat16)
    return model


def adapter_weights(model: Any) -> dict[str, Any]:
    """The adapter's weights by name, a copy."""
    return {
        name: value.detach().clone()
        for name, value in model.named_parameters()
        if value.requires_grad
    }


def restore_weights(model: Any, found: dict[str, Any]) -> None:
    """Put weights back that :func:`adapter_weights` took."""
    import torch  # noqa: PLC0415

    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.requires_grad:
                value.copy_(found[name])


def mean_weights(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of several weights, name by name."""
    return {name: sum(each[name] for each in found) / len(found) for name in found[0]}


def save_adapter(model: Any, folder: Path, base: str) -> None:
    """Write weights (fp16) and configuration, without a path of this machine.

    Args:
        base: what the configuration calls the model that the adapter is for.
    """
    import torch  # noqa: PLC0415
    from peft import get_peft_model_state_dict  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(model)
    save_file(
        {name: value.to(torch.float16).cpu().contiguous() for name, value in state.items()},
        folder / WEIGHTS,
    )
    (folder / WEIGHTS).chmod(0o644)  # the package keeps the file mode
    config = model.peft_config["default"].to_dict()
    config.update(base_model_name_or_path=base, inference_mode=True)
    config["target_modules"] = sorted(config["target_modules"])
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True, default=str) + "\n")
