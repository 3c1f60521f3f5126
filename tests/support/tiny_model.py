"""A causal language model of a few thousand random weights, kept as the installed one is.

``python tiny_model.py MODELS ADAPTER [LIMIT_MIB]`` serves it in the model process's protocol.
"""

from __future__ import annotations

import json
import resource
import sys
from hashlib import sha256
from pathlib import Path

from explain.language_model.child import serve
from explain.language_model.files import Source, sha256_of_file

WORDS = (
    "patient care team | => your heart rate blood pressure is was has been high low now at for"
    " new still so over told late no slots { } duration heart_rate blood_pressure , . since"
    " Your rest asleep active Heart _"
)
SOURCE = Source("tiny", "tiny==1", "tiny/tiny.gguf", sha256(b"tiny").hexdigest())


def make(models: Path, source: Source = SOURCE, seed: int = 1) -> Path:
    """Put it into a folder of models, where it counts as unpacked already."""
    import torch
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as kinds
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    names = ["<unk>", "<end>", *dict.fromkeys(WORDS.split())]
    raw = Tokenizer(kinds.WordLevel({word: at for at, word in enumerate(names)}, "<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("{", "isolated"),
         pre_tokenizers.Split("}", "isolated"), pre_tokenizers.Split(".", "isolated"),
         pre_tokenizers.Split(",", "isolated")]
    )  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", eos_token="<end>", pad_token="<end>"
    )
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(names), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128,
        bos_token_id=1, eos_token_id=1, pad_token_id=1, tie_word_embeddings=True,
    )  # fmt: skip
    folder = models / f"{source.name}-{source.sha256[:12]}-bf16"
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    digests = {path.name: sha256_of_file(path) for path in sorted(folder.iterdir())}
    (folder / "vigil.json").write_text(json.dumps({"from": source.sha256, "files": digests}))
    return folder


def main(models: str, adapter: str, limit_mib: str = "0") -> int:
    """Serve it."""
    from explain.language_model.inference import LanguageModel

    def load() -> LanguageModel:
        if int(limit_mib):
            bound = int(limit_mib) << 20
            resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
        return LanguageModel(Path(models), SOURCE, adapter=Path(adapter))

    return serve(load)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
