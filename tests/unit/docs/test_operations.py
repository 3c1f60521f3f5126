"""docs/operations.md names commands, services and metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from typer.testing import CliRunner

from cli.main import app
from tests.support.documents import DOCS, rows
from vigil.service.health import Health

TEXT = (DOCS / "operations.md").read_text()
COMPOSE = yaml.safe_load((Path(DOCS).parent / "compose.yaml").read_text())


def test_every_command_is_one() -> None:
    named = set(re.findall(r"(?:setup|store|notify) vigil ([a-z]+)((?: [a-z]+)?)", TEXT))
    assert named
    for command, sub in named:
        ask = [command, sub.strip(), "--help"] if sub.strip() else [command, "--help"]
        result = CliRunner().invoke(app, ask)
        assert result.exit_code == 0, ask


def test_every_service_and_volume_is_in_the_compose_file() -> None:
    services = set(re.findall(r"docker compose (?:exec|stop|start|run --rm|logs -f) (\w+)", TEXT))
    assert services <= set(COMPOSE["services"])
    scaled = set(re.findall(r"--scale (\w+)=", TEXT))
    assert scaled <= set(COMPOSE["services"])
    assert set(re.findall(r"volume `(\w+)`", TEXT)) == set(COMPOSE["volumes"])


def test_every_metric_is_counted_somewhere() -> None:
    root = Path(DOCS).parent
    folders = ("vigil", "store", "detectors")
    code = "".join(path.read_text() for folder in folders for path in (root / folder).rglob("*.py"))
    always = Health("x").metrics()
    for row in rows("operations.md"):
        name = row[0].strip("`")
        if name.startswith("vigil_"):
            short = name.removeprefix("vigil_").removesuffix("_total")
            assert f'"{short}"' in code or name in always, name
