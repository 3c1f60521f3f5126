"""compose.yaml against the compose specification, the settings and the services; no engine runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from cli.services import SERVICES
from vigil.service.settings import Settings

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
PARTS: dict[str, Any] = COMPOSE["services"]
OURS = {name: part for name, part in PARTS.items() if part["image"].startswith("vigil:")}
WORKERS = {name for name, kind in SERVICES.items() if kind == "worker"}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<rest>[^}]*))?\}")
FILLED_IN = {
    "VIGIL_DB_PASSWORD": "0b9f6d0e5c",
    "KAFKA_CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw",
    "VIGIL_PUBLIC_URL": "https://vigil.example.org",
}
NOT_SETTINGS = {"VIGIL_DB_PASSWORD", "VIGIL_VERSION"}


def interpolated(value: Any, environment: dict[str, str]) -> str:
    """A value as compose passes it on."""

    def one(found: re.Match[str]) -> str:
        given = environment.get(found["name"], "")
        if not given and found["how"] == ":?":
            raise KeyError(found["name"])
        return given or (found["rest"] if found["how"] == ":-" else "")

    return VARIABLE.sub(one, str(value))


def test_it_is_valid_by_the_compose_specification() -> None:
    schema = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(schema.read_text()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"web": {"imge": "x"}}}, json.loads(schema.read_text()))


def test_every_service_runs_and_none_is_made_up() -> None:
    commands = {name: part["command"] for name, part in OURS.items()}
    running = {
        service
        for command in commands.values()
        if command[:2] == ["vigil", "run"]
        for service in command[2:]
    }
    assert running == set(SERVICES)
    for worker in WORKERS:
        assert commands[worker] == ["vigil", "run", worker]
    assert set(PARTS) == {"kafka", "database", "setup", "web", *WORKERS}


def test_the_commands_are_ours() -> None:
    for name, part in OURS.items():
        line = " ".join(part["command"])
        for command in re.findall(r"vigil ([a-z]+)", line):
            result = CliRunner().invoke(app, [command, "--help"])
            assert result.exit_code == 0, (name, command)
    assert "vigil topics --create" in " ".join(PARTS["setup"]["command"])


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_settings_are_read_by_the_code_and_taken(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    given = PARTS[name].get("environment", {})
    for variable in given:
        assert variable.removeprefix("VIGIL_").lower() in Settings.model_fields, variable
    for variable, value in given.items():
        monkeypatch.setenv(variable, interpolated(value, FILLED_IN))
    settings = Settings()
    assert not settings.demo
    assert settings.kafka_bootstrap == "kafka:9092"
    assert settings.database() == "postgresql://vigil:0b9f6d0e5c@database:5432/vigil"


def test_interpolated_variables_are_settings_or_explained_in_the_example() -> None:
    used = {found["name"] for found in VARIABLE.finditer(TEXT)}
    example = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert set(example) == used
    assert not any(example.values()), "an example that is copied must not carry a value"
    for name in used - NOT_SETTINGS:
        if name.startswith("VIGIL_"):
            assert name.removeprefix("VIGIL_").lower() in Settings.model_fields, name


def test_an_example_copied_and_left_empty_is_no_contradiction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    monkeypatch.chdir(tmp_path)
    assert Settings() == Settings(_env_file=None)


def test_secrets_and_addresses_have_no_default() -> None:
    for found in VARIABLE.finditer(TEXT):
        if found["name"] in FILLED_IN:
            assert found["how"] == ":?", found.group()
        if re.search("PASSWORD|KEY|SECRET", found["name"]):
            assert found["how"] == ":?" or found.group().endswith(":-}"), found.group()
    with pytest.raises(KeyError):
        interpolated(PARTS["database"]["environment"]["POSTGRES_PASSWORD"], {})


def test_images_are_pinned() -> None:
    for name, part in PARTS.items():
        tag = interpolated(part["image"], {}).partition(":")[2]
        assert re.match(r"\d+\.\d+", tag), name
    dockerfile = (ROOT / "Dockerfile").read_text()
    for base in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE):
        assert re.search(r":\d+\.\d+", base), base


def test_each_service_is_watched_or_ends_by_itself() -> None:
    for name, part in PARTS.items():
        if name == "setup":
            assert part["restart"].startswith("on-failure")
            continue
        assert part["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert part["restart"] == "unless-stopped", name


@pytest.mark.parametrize("name", sorted({"web", *WORKERS}))
def test_a_health_check_asks_where_the_service_answers(name: str) -> None:
    test = PARTS[name]["healthcheck"]["test"]
    variable = "VIGIL_HTTP_PORT" if name == "web" else "VIGIL_HEALTH_PORT"
    assert test == ["CMD", "vigil", "health", "--port", PARTS[name]["environment"][variable]]


@pytest.mark.parametrize("name", sorted({"web", *WORKERS}))
def test_each_service_starts_after_what_it_needs(name: str) -> None:
    assert PARTS[name]["depends_on"] == {
        "kafka": {"condition": "service_healthy"},
        "database": {"condition": "service_healthy"},
        "setup": {"condition": "service_completed_successfully"},
    }


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_a_worker_can_be_scaled(name: str) -> None:
    assert not {"container_name", "hostname", "ports", "volumes"} & set(PARTS[name])


def test_only_the_web_process_is_published_and_only_on_this_host() -> None:
    published = {name: part["ports"] for name, part in PARTS.items() if "ports" in part}
    assert set(published) == {"web"}
    (port,) = published["web"]
    assert interpolated(port, {}) == "127.0.0.1:8000:8000"


def test_only_the_web_process_and_notify_can_reach_outside() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    outside = {name for name, part in PARTS.items() if "outside" in part["networks"]}
    assert outside == {"web", "notify"}
    assert all("inside" in part["networks"] for part in PARTS.values())


def test_each_container_has_no_more_rights_than_it_needs() -> None:
    for name, part in PARTS.items():
        assert part["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in part["security_opt"], name
        assert part["mem_limit"], name
        assert not part.get("privileged"), name
    for name, part in OURS.items():
        assert part["read_only"] is True, name
        assert part["tmpfs"] == ["/tmp"], name  # noqa: S108


def test_what_must_last_is_on_volumes() -> None:
    mounted = {name: part["volumes"] for name, part in PARTS.items() if "volumes" in part}
    assert mounted == {
        "kafka": [f"kafka:{PARTS['kafka']['environment']['KAFKA_LOG_DIRS']}"],
        "database": ["database:/var/lib/postgresql"],
    }
    assert PARTS["database"]["environment"]["PGDATA"].startswith("/var/lib/postgresql/")
    assert set(COMPOSE["volumes"]) == set(mounted)


def _copied() -> Iterator[str]:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            yield from line.split()[1:-1]


def test_the_image_holds_every_package_and_runs_as_nobody_in_particular() -> None:
    copied = set(_copied())
    packages = re.search(r"packages = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert packages
    assert set(re.findall(r'"(\w+)"', packages[1])) <= copied
    assert all((ROOT / name).exists() for name in copied)
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert copied == kept  # everything else, .env and .git too, never reaches the builder
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert users[-1] not in {"root", "0"}


def test_secrets_stay_out_of_the_repository() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
