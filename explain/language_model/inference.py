"""The language model itself (extra ``llm``). Imported by the model process alone: torch is heavy.

transformers reads a GGUF by unpacking it in Python: some 17 s, and 1 GB at its peak. That is done
once: the bf16 weights are stored next to the GGUF as safetensors, which load in 3 s, with the
digest of each file in ``vigil.json``; a copy that does not match is made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from explain.language_model.adapter import SHIPPED, adapter_identity, merge_adapter
from explain.language_model.adapter import check_adapter as checked_adapter
from explain.language_model.files import SMOLLM2, Source, check_gguf, local_identity, sha256_of_file
from explain.language_model.message import Message
from explain.language_model.prompt import framed
from explain.language_model.slot_grammar import SlotGrammar, Vocabulary
from vigil.service import logs

log = logs.get("model")
THREADS = 1
"""Two are a third faster on idle cores and many times slower on busy ones, where they wait for each
other; this process shares the machine with all of Vigil."""
MAX_NEW_TOKENS = 48
BATCH = 32
"""Prompts that are answered together."""
SAMPLED = {"do_sample": True, "temperature": 0.8, "top_p": 0.95, "top_k": 0}
"""How further candidates are drawn."""
MANIFEST = "vigil.json"


def keep_offline() -> None:
    """Keep transformers from the network and from the terminal. Before its first import."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def prepare_weights(folder: Path, source: Source = SMOLLM2) -> Path:
    """The folder of bf16 weights and tokenizer, made from the pinned GGUF where it is not yet.

    Raises:
        UnavailableError: the GGUF is not there or not the pinned one.
    """
    folder = folder.expanduser()
    ready = folder / f"{source.name}-{source.sha256[:12]}-bf16"
    if _intact(ready):
        return ready
    gguf = check_gguf(folder, source)
    with TemporaryDirectory(dir=folder, prefix=".convert-") as scratch:
        converted = Path(scratch) / "model"
        _convert(gguf, converted)
        digests = {path.name: sha256_of_file(path) for path in sorted(converted.iterdir())}
        (converted / MANIFEST).write_text(json.dumps({"from": source.sha256, "files": digests}))
        if ready.exists():  # damaged
            ready.rename(Path(scratch) / "old")
        converted.rename(ready)
    return ready


def _intact(folder: Path) -> bool:
    try:
        files = json.loads((folder / MANIFEST).read_text())["files"]
        return bool(files) and all(
            sha256_of_file(folder / name) == found for name, found in files.items()
        )
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


Prompt = str | list[Message]
"""A request in one line, as :func:`explain.language_model.prompt.tuned_request` makes it, or a
conversation."""


class LanguageModel:
    """A causal language model on the CPU. The same prompts and seed always give the same words.

    Args:
        folder: where the pinned model is kept.
        adapter: the folder of the adapter; where it holds none, the model is untuned.

    Raises:
        UnavailableError: the model is missing or not the pinned one.
        AdapterRefusedError: the adapter is damaged or for another model.
    """

    _vocabulary: Vocabulary | None = None

    def __init__(
        self,
        folder: Path,
        source: Source = SMOLLM2,
        threads: int = THREADS,
        adapter: Path = SHIPPED,
    ):
        manifest = checked_adapter(adapter, source.sha256)
        self._load(prepare_weights(folder, source), threads)
        self.identity = source.identity
        if manifest is not None:
            merge_adapter(self._model, adapter)
            self.identity += f"+{adapter_identity(manifest)}"
        self.tuned = manifest is not None
        """Whether it is asked with :func:`explain.language_model.prompt.tuned_request`, not with a
        conversation."""

    @classmethod
    def other(cls, folder: Path, threads: int = THREADS) -> LanguageModel:
        """Any other causal model in Hugging Face's format: safetensors, and no code of its own.

        Raises:
            UnavailableError: the folder holds no such model.
        """
        model = cls.__new__(cls)
        model.identity, model.tuned = local_identity(folder), False
        model._load(folder.expanduser(), threads)
        return model

    @classmethod
    def in_training(cls, model: Any, tokenizer: Any) -> LanguageModel:
        """One whose adapter is being fitted, to be asked in between."""
        import torch  # noqa: PLC0415

        language_model = cls.__new__(cls)
        language_model.identity, language_model.tuned, language_model._torch = (
            "in training",
            True,
            torch,
        )
        language_model._model, language_model._tokenizer = model, tokenizer
        return language_model

    def _load(self, folder: Path, threads: int) -> None:
        keep_offline()
        import torch  # noqa: PLC0415
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

        torch.set_num_threads(threads)
        self._torch: Any = torch
        ours = {"local_files_only": True, "trust_remote_code": False}
        self._tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", **ours)
        self._model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16, use_safetensors=True, **ours
        ).eval()
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token

    def write(self, prompt: Prompt, seconds: float = 0, seed: int = 0) -> str:
        """What the model answers, as it is: its likeliest words, or words drawn by a seed.

        Args:
            seconds: how long it may take; it then ends where it is. 0: as long as it needs.
            seed: above 0: what draws them.
        """
        drawn = SAMPLED if seed else {}
        self._torch.manual_seed(seed)
        return self._generate([prompt], max_time=seconds or None, **drawn)[0]

    def write_many(
        self, prompts: Sequence[Prompt], candidates: int = 1, seed: int = 7, batch: int = BATCH
    ) -> list[list[str]]:
        """Up to ``candidates`` different answers to each prompt, the likeliest first.

        The others are sampled. The same prompts, in this order, with the same seed and batch, give
        the same answers on this machine.
        """
        written: list[list[str]] = []
        for start in range(0, len(prompts), batch):
            part = prompts[start : start + batch]
            found = [[text] for text in self._generate(part)]
            if candidates > 1:
                self._torch.manual_seed(seed + start)
                others = self._generate(part, **SAMPLED, num_return_sequences=candidates - 1)
                for at, text in enumerate(others):
                    found[at // (candidates - 1)].append(text)
            written += [list(dict.fromkeys(texts)) for texts in found]
        return written

    def _generate(self, prompts: Sequence[Prompt], **how: Any) -> list[str]:
        asked = self._tokenizer(
            [self._framed(prompt) for prompt in prompts],
            add_special_tokens=False,
            padding=True,
            return_tensors="pt",
        )
        how = {"do_sample": False, "max_new_tokens": MAX_NEW_TOKENS, **how}
        if self.tuned:
            how["logits_processor"] = [self._grammar(prompts, asked["input_ids"].shape[1], how)]
        with self._torch.inference_mode():
            tokens = self._model.generate(**asked, pad_token_id=self._tokenizer.pad_token_id, **how)
        written = tokens[:, asked["input_ids"].shape[1] :]
        texts = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _grammar(self, prompts: Sequence[Prompt], begin: int, how: dict[str, Any]) -> SlotGrammar:
        if self._vocabulary is None:
            self._vocabulary = Vocabulary(self._tokenizer, self._model.config.vocab_size)
        asked = [self._framed(prompt) for prompt in prompts]
        return SlotGrammar(
            vocabulary=self._vocabulary,
            asked=asked,
            begin=begin,
            copies=how.get("num_return_sequences", 1),
        )

    def _framed(self, prompt: Prompt) -> str:
        if self.tuned:
            return framed(prompt if isinstance(prompt, str) else prompt[-1]["content"])
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        if self._tokenizer.chat_template is None:
            return "\n".join(f"{turn['content']}" for turn in messages) + "\n"
        text = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return str(text)
