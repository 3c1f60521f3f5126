"""The adapter (LoRA) that makes the base model write our sentences: checked, and merged at load.

A folder holds the weights, peft's configuration, and ``adapter.json``: the digests of both, the
base that it was fitted to, seed, data and figures. Merged into the base's weights it costs no time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from explain.language_model.files import sha256_of_file
from vigil.service.errors import UnavailableError

SHIPPED = Path(__file__).parent / "adapter"
"""The adapter that comes with Vigil."""
WEIGHTS, CONFIG, MANIFEST = "adapter_model.safetensors", "adapter_config.json", "adapter.json"
_PREFIX, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


class AdapterRefusedError(UnavailableError):
    """An adapter that is damaged, or for another base. The model is not loaded without it."""

    def __init__(self, why: str):
        super().__init__(
            why,
            code="unavailable.model",
            field="explain/language_model/adapter",
            how_to_fix=(
                "Reinstall Vigil, or fit it anew with `vigil explain train`; alerts go "
                "out in"
                " template words meanwhile."
            ),
        )


class Manifest(Struct, frozen=True):
    """The part of ``adapter.json`` that loading needs."""

    name: str
    base_sha256: str
    files: dict[str, str]
    """File → SHA-256."""


def check_adapter(folder: Path, base_sha256: str) -> Manifest | None:
    """The adapter's manifest, once its files are whole and fit the base; None: there is none.

    Raises:
        AdapterRefusedError: a file is missing or changed, or it is for another base.
    """
    manifest = folder / MANIFEST
    if not manifest.exists():
        return None
    try:
        found = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AdapterRefusedError(f"{manifest} cannot be read: {type(error).__name__}.") from None
    if found.base_sha256 != base_sha256:
        raise AdapterRefusedError(f"The adapter {found.name} is for another base model.")
    for name in (WEIGHTS, CONFIG):
        path = folder / name
        if not path.is_file():
            raise AdapterRefusedError(f"The adapter's file {path} is not there.")
        if sha256_of_file(path) != found.files.get(name):
            raise AdapterRefusedError(f"{path} is not the file that its manifest names.")
    return found


def adapter_identity(manifest: Manifest) -> str:
    """Name and digest, as provenance carries them."""
    return f"{manifest.name}@sha256:{manifest.files[WEIGHTS][:16]}"


def merge_adapter(model: Any, folder: Path) -> None:
    """Add the adapter's update to the weights of a plain model, in full precision, in place.

    Raises:
        AdapterRefusedError: it is no plain LoRA for this model's layers.
    """
    import torch  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    config = json.loads((folder / CONFIG).read_text())
    if config.get("peft_type") != "LORA" or config.get("use_dora") or config.get("use_rslora"):
        raise AdapterRefusedError(f"{folder / CONFIG} is of another method than plain LoRA.")
    scale = config["lora_alpha"] / config["r"]
    found = load_file(folder / WEIGHTS)
    layers = dict(model.named_modules())
    with torch.no_grad():
        for name in [name for name in found if name.endswith(_DOWN)]:
            layer = layers.get(name.removeprefix(_PREFIX).removesuffix(_DOWN))
            down, up = found[name].float(), found[name.removesuffix(_DOWN) + _UP].float()
            if layer is None or layer.weight.shape != (up.shape[0], down.shape[1]):
                raise AdapterRefusedError(f"The model has no layer for {name}.")
            layer.weight.copy_(layer.weight.float() + scale * (up @ down))
