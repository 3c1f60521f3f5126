"""The language model itself (extra ``llm``). Imported by the model process alone: torch is heavy.

transformers reads a GGUF by unpacking it in Python: some 17 s, and 1 GB at its peak. That is done
once: the bf16 weights are kept beside the GGUF as safetensors, which load in 3 s, with the digest
of each file in ``vigil.json``; a copy that does not match is made again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from explain.model_files import SMOLLM2, Source, checked, digest
from explain.prompt import Message
from vigil import logs

log = logs.get("model")
THREADS = 1
"""Two are a third faster on idle cores and many times slower on busy ones, where they wait for each
other; this process runs beside the whole of Vigil."""
MAX_NEW_TOKENS = 48
MANIFEST = "vigil.json"


def offline() -> None:
    """Keep transformers from the network and from the terminal. Before its first import."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def prepare(folder: Path, source: Source = SMOLLM2) -> Path:
    """The folder of bf16 weights and tokenizer, made from the pinned GGUF where it is not yet.

    Raises:
        UnavailableError: the GGUF is not there or not the pinned one.
    """
    folder = folder.expanduser()
    ready = folder / f"{source.name}-{source.sha256[:12]}-bf16"
    if _intact(ready):
        return ready
    gguf = checked(folder, source)
    with TemporaryDirectory(dir=folder, prefix=".convert-") as scratch:
        made = Path(scratch) / "model"
        _convert(gguf, made)
        digests = {path.name: digest(path) for path in sorted(made.iterdir())}
        (made / MANIFEST).write_text(json.dumps({"from": source.sha256, "files": digests}))
        if ready.exists():  # damaged
            ready.rename(Path(scratch) / "old")
        made.rename(ready)
    return ready


def _intact(folder: Path) -> bool:
    try:
        files = json.loads((folder / MANIFEST).read_text())["files"]
        return bool(files) and all(digest(folder / name) == found for name, found in files.items())
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def _convert(gguf: Path, target: Path) -> None:
    """Unpack the GGUF once. ``dequantize`` keeps transformers from looking for packed kernels."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig  # noqa: PLC0415

    place = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model = AutoModelForCausalLM.from_pretrained(
        **place, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


class LanguageModel:
    """SmolLM2 on the CPU, greedy: the same prompt always gives the same sentence."""

    def __init__(self, folder: Path, source: Source = SMOLLM2, threads: int = THREADS):
        offline()
        import torch  # noqa: PLC0415
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

        torch.set_num_threads(threads)
        ready = prepare(folder, source)
        self.identity = source.identity
        self._torch: Any = torch
        self._tokenizer = AutoTokenizer.from_pretrained(ready)
        self._model = AutoModelForCausalLM.from_pretrained(ready, dtype=torch.bfloat16).eval()

    def write(self, said: list[Message]) -> str:
        """What the model answers, as it is."""
        prompt = self._tokenizer.apply_chat_template(
            said, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with self._torch.inference_mode():
            tokens = self._model.generate(**prompt, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
        written = tokens[0, prompt["input_ids"].shape[1] :]
        return str(self._tokenizer.decode(written, skip_special_tokens=True)).strip()
