"""``vigil explain train``: from the references to an adapter with its card."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from explain.language_model.adapter import CONFIG, WEIGHTS
from explain.language_model.files import SMOLLM2, Source, digest, unavailable
from explain.language_model.model import LanguageModel, offline, prepare
from explain.training import card, checkpoint, lora
from explain.training.examples import encode, of_tables
from explain.training.fit import Report, Training
from explain.training.options import Options
from explain.training.probe import probe, signatures_of
from explain.training.references import Reference, load
from explain.training.split import Split, counts, split


class Place(Struct, frozen=True):
    """Where a run reads and writes."""

    models: Path
    """The folder of the installed base model."""
    out: Path
    """Where adapter, card and, meanwhile, the checkpoint are written."""
    source: Source = SMOLLM2
    threads: int = 2


def data() -> Split:
    """All references and the tables' own sentences, divided."""
    return split(load(), of_tables())


def digest_of(examples: Sequence[Reference]) -> str:
    """Names the sentences, in their order."""
    lines = (f"{x.signature.key}\t{x.family}\t{x.text}\n" for x in examples)
    return sha256("".join(lines).encode()).hexdigest()


def train(
    place: Place,
    options: Options,
    report: Report,
    *,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    divided: Split | None = None,
) -> card.Manifest:
    """Fit an adapter, write it, and measure it as it will be used.

    Raises:
        UnavailableError: the base or the extra ``llm`` is missing.
        InputError: there is no checkpoint of this run to resume.
        explain.training.fit.Stopped: ``stop`` said so; ``resume`` goes on from there.
    """
    divided = divided or data()
    tokenizer, base, torch = _base(place)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = lora.adapted(base, options)
    digests = {"train": digest_of(divided.train), "validation": digest_of(divided.validation)}
    named = msgspec.json.encode([options, digests, place.source.sha256])
    judged = signatures_of(divided.validation)

    def passes() -> float:
        """Asked in the precision in which it is trained."""
        with torch.autocast(device, dtype=torch.bfloat16):
            return probe(LanguageModel.in_training(model, tokenizer), judged).passed

    run = Training(
        model,
        encode(tokenizer, divided.train),
        encode(tokenizer, divided.validation),
        options,
        place.out,
        sha256(named).hexdigest(),
        passes,
        device,
    )
    if resume:
        run.resume()
    state = run.run(report, stop)
    lora.save(model, place.out, place.source.name)
    manifest = card.Manifest(
        name=card.NAME,
        base=place.source.name,
        base_sha256=place.source.sha256,
        files={name: digest(place.out / name) for name in (WEIGHTS, CONFIG)},
        made=time.strftime("%Y-%m-%d", time.gmtime()),
        options=options,
        sentences=counts(divided),
        sentences_sha256={**digests, "test": digest_of(divided.test)},
        training=card.Trained.of(state, device, place.threads, run.steps),
    )
    card.write(place.out, manifest)
    manifest = msgspec.structs.replace(manifest, measured=_measured(place, divided))
    card.write(place.out, manifest)
    (place.out / checkpoint.FILE).unlink()
    return manifest


def _base(place: Place) -> tuple[Any, Any, Any]:
    """The tokenizer, the base in full precision, and torch, set to the threads it may use."""
    offline()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin starve those that work
    try:
        import peft  # noqa: F401, PLC0415
        import torch  # noqa: PLC0415
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415
    except ImportError as error:
        why = f"Training needs the extra `llm`: there is no {error.name}."
        raise unavailable(why, "pip install 'vigil[llm]'") from None
    torch.set_num_threads(place.threads)
    folder = prepare(place.models, place.source)
    base = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        attn_implementation="eager",  # in training faster than fused, on a CPU and so short a text
    )
    return AutoTokenizer.from_pretrained(folder, padding_side="left"), base, torch


def _measured(place: Place, divided: Split) -> dict[str, Any]:
    """What the adapter, loaded as it will be used, writes for signatures that it has not seen."""
    model = LanguageModel(place.models, place.source, place.threads, adapter=place.out)
    asked = {"validation": divided.validation, "test": divided.test}
    return {name: probe(model, signatures_of(part)) for name, part in asked.items()}
