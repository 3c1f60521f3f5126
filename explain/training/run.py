"""``vigil explain train``: from the references to an adapter with its card."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from explain.language_model.adapter import CONFIG, WEIGHTS
from explain.language_model.files import SMOLLM2, Source, language_model_unavailable, sha256_of_file
from explain.language_model.inference import LanguageModel, keep_offline, prepare_weights
from explain.training.card import NAME, Manifest, Trained, write_card
from explain.training.examples import encode_examples, table_examples
from explain.training.fitting.checkpoint import FILE as CHECKPOINT_FILE
from explain.training.fitting.fit import Report, Training
from explain.training.fitting.lora import add_adapter, save_adapter
from explain.training.fitting.options import Options
from explain.training.probe import probe_answers, unique_signatures
from explain.training.references import Reference, load_references
from explain.training.split import Split, part_counts, split_references
from vigil.service.extras import install_command


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Where a run reads and writes."""

    models: Path
    """The folder of the installed base model."""
    out: Path
    """Where adapter, card and, meanwhile, the checkpoint are written."""
    source: Source = SMOLLM2
    threads: int = 2


def training_data() -> Split:
    """All references and the tables' own sentences, divided."""
    return split_references(load_references(), table_examples())


def examples_digest(examples: Sequence[Reference]) -> str:
    """Names the sentences, in their order."""
    lines = (f"{x.signature.key}\t{x.family}\t{x.text}\n" for x in examples)
    return sha256("".join(lines).encode()).hexdigest()


def _digests(divided: Split) -> dict[str, str]:
    """Of what a run sees: part → digest of its sentences."""
    parts = {"train": divided.train, "validation": divided.validation}
    return {name: examples_digest(part) for name, part in parts.items()}


def _unmeasured(paths: RunPaths, options: Options, divided: Split, trained: Trained) -> Manifest:
    """The card of a finished run, before its adapter is measured."""
    return Manifest(
        name=NAME,
        base=paths.source.name,
        base_sha256=paths.source.sha256,
        files={name: sha256_of_file(paths.out / name) for name in (WEIGHTS, CONFIG)},
        made=time.strftime("%Y-%m-%d", time.gmtime()),
        options=options,
        sentences=part_counts(divided),
        sentences_sha256=_digests(divided) | {"test": examples_digest(divided.test)},
        training=trained,
    )


def train(
    paths: RunPaths,
    options: Options,
    report: Report,
    *,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    divided: Split | None = None,
) -> Manifest:
    """Fit an adapter, write it, and measure it as it will be used.

    Raises:
        UnavailableError: the base or the extra ``llm`` is missing.
        InputError: there is no checkpoint of this run to resume.
        explain.training.fitting.fit.Stopped: ``stop`` returned True; ``resume`` continues.
    """
    divided = divided or training_data()
    digests = _digests(divided)
    run = _make_training(paths, options, divided, digests)
    if resume:
        run.resume()
    state = run.run(report, stop)
    save_adapter(run.model, paths.out, paths.source.name)
    trained = Trained.from_state(
        state, device=run.device, threads=paths.threads, of_steps=run.steps
    )
    manifest = _unmeasured(paths, options, divided, trained)
    write_card(paths.out, manifest)
    manifest = msgspec.structs.replace(manifest, measured=_measure_adapter(paths, divided))
    write_card(paths.out, manifest)
    (paths.out / CHECKPOINT_FILE).unlink()
    return manifest


def _make_training(
    paths: RunPaths, options: Options, divided: Split, digests: dict[str, str]
) -> Training:
    """A run from the start: the base with a new adapter, the encoded sentences, the check.

    Args:
        digests: SHA-256 of the sentences of each part, for the checkpoint's fingerprint.
    """
    tokenizer, base, torch = _load_base(paths)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = add_adapter(base, options)
    named = msgspec.json.encode([options, digests, paths.source.sha256])
    judged = unique_signatures(divided.validation)

    def passes() -> float:
        """Asked in the precision in which it is trained."""
        with torch.autocast(device, dtype=torch.bfloat16):
            return probe_answers(LanguageModel.in_training(model, tokenizer), judged).passed

    return Training(
        model=model,
        learn=encode_examples(tokenizer, divided.train),
        judge=encode_examples(tokenizer, divided.validation),
        options=options,
        folder=paths.out,
        fingerprint=sha256(named).hexdigest(),
        passes=passes,
        device=device,
    )


def _load_base(paths: RunPaths) -> tuple[Any, Any, Any]:
    """The tokenizer, the base in full precision, and torch, set to the threads it may use."""
    keep_offline()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin starve those that work
    for name in ("peft", "torch", "transformers"):
        if find_spec(name) is None:
            why = f"Training needs the extra `llm`: there is no {name}."
            raise language_model_unavailable(why, install_command("llm"))
    folder = prepare_weights(paths.models, paths.source)  # before imports that take seconds
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    torch.set_num_threads(paths.threads)
    base = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        attn_implementation="eager",  # in training faster than fused, on a CPU and so short a text
    )
    return AutoTokenizer.from_pretrained(folder, padding_side="left"), base, torch


def _measure_adapter(paths: RunPaths, divided: Split) -> dict[str, Any]:
    """What the adapter, loaded as it will be used, writes for signatures that it has not seen."""
    model = LanguageModel(paths.models, paths.source, paths.threads, adapter=paths.out)
    asked = {"validation": divided.validation, "test": divided.test}
    return {name: probe_answers(model, unique_signatures(part)) for name, part in asked.items()}
