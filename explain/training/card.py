"""The adapter's papers: ``adapter.json`` for programs, ``README.md`` (a model card) for people."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from explain.language_model.adapter import MANIFEST, WEIGHTS
from explain.training.fitting.checkpoint import Check, State
from explain.training.fitting.options import Options
from explain.training.probe import Figures

NAME = "vigil-words"
README = "README.md"


class Trained(Struct, frozen=True):
    """How the training went."""

    device: str
    threads: int
    steps: int
    of_steps: int
    minutes: float
    best: Check
    """Whose weights these are."""
    checks: list[Check]

    @classmethod
    def from_state(cls, state: State, device: str, threads: int, of_steps: int) -> Trained:
        """Of a finished run."""
        minutes = round(state.seconds / 60, 1)
        checks = [_rounded(check) for check in state.checks]
        return cls(
            device=device,
            threads=threads,
            steps=state.step,
            of_steps=of_steps,
            minutes=minutes,
            best=_rounded(state.best),
            checks=checks,
        )


def _rounded(check: Check) -> Check:
    return Check(
        step=check.step,
        learnt=round(check.learnt, 4),
        loss=round(check.loss, 4),
        passed=round(check.passed, 4),
    )


class Manifest(Struct, frozen=True):
    """``adapter.json``. Loading reads the first fields; all else is for the record."""

    name: str
    base: str
    base_sha256: str
    files: dict[str, str]
    made: str
    options: Options
    sentences: dict[str, dict[str, int]]
    sentences_sha256: dict[str, str]
    training: Trained
    measured: dict[str, Figures] = {}
    """Part → how the verifier judged the most probable answers."""
    note: str = ""
    """What else a reader of the card should know of this run."""


def write_card(folder: Path, manifest: Manifest) -> None:
    """Write both papers."""
    plain = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / MANIFEST).write_bytes(plain + b"\n")
    (folder / README).write_text(render_card(manifest))


def render_card(manifest: Manifest) -> str:
    """The card."""
    form = files(__package__).joinpath("card.md").read_text("utf-8")
    options, trained = manifest.options, manifest.training
    values = {
        "name": manifest.name,
        "base": manifest.base,
        "base_sha256": manifest.base_sha256,
        "weights_sha256": manifest.files[WEIGHTS],
        "made": manifest.made,
        "seed": str(options.seed),
        "rank": str(options.rank),
        "alpha": str(options.alpha),
        "mean_of": str(options.mean_of),
        "batch": str(options.batch),
        "rate": f"{options.rate:g}",
        "steps": str(trained.steps),
        "of_steps": str(trained.of_steps),
        "best_step": str(trained.best.step),
        "minutes": f"{trained.minutes:g}",
        "device": trained.device,
        "threads": str(trained.threads),
        "validation_loss": f"{trained.best.loss:.3f}",
        "note": f"{manifest.note}\n\n" if manifest.note else "",
        "sentences": _sentences(manifest),
        "figures": _figures(manifest),
    }
    for name, value in values.items():
        form = form.replace(f"<{name}>", value)
    return form


def _sentences(manifest: Manifest) -> str:
    head = "| part | sentences | of the tables | families | kinds | signatures | SHA-256 |"
    rows = [head, "|---|---|---|---|---|---|---|"]
    for part, row in manifest.sentences.items():
        cells = " | ".join(str(number) for number in row.values())
        rows.append(f"| {part} | {cells} | `{manifest.sentences_sha256[part][:16]}` |")
    return "\n".join(rows)


def _figures(manifest: Manifest) -> str:
    rows = [
        "| part | signatures | passed | slot errors | contradictions | numerals |",
        "|---|---|---|---|---|---|",
    ]
    for part, found in manifest.measured.items():
        shares = (found.passed, found.slot_errors, found.contradictions, found.numerals)
        cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
        rows.append(f"| {part} | {found.signatures} | {cells} |")
    return "\n".join(rows)
