"""docs/operations.md names commands, services and metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from typer.testing import CliRunner

from cli.main import app
from tests.support.documents import DOCS, rows
from vigil.service.metrics import METRICS, STREAM, Metric

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


def test_every_metric_of_the_page_is_one() -> None:
    names = [row[0].strip("`") for row in rows("operations.md")]
    named = [name for name in names if name.startswith("vigil_")]
    assert set(named) <= {full_name(metric) for metric in METRICS.values()}


def test_every_metric_that_all_workers_have_is_on_the_page() -> None:
    for metric in METRICS.values():
        if metric.services >= STREAM:
            assert f"`{full_name(metric)}`" in TEXT, metric.name


def full_name(metric: Metric) -> str:
    """As Prometheus has it."""
    return f"vigil_{metric.name}_total" if metric.kind == "counter" else f"vigil_{metric.name}"
