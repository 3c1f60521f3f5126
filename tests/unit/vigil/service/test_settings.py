"""Settings: what is taken, what is refused, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigil.service.errors import SettingsError
from vigil.service.settings import DEFAULT_PASSWORDS, Settings


@pytest.fixture(autouse=True)
def _without_any_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("VIGIL_DEMO", "perhaps"),
        ("VIGIL_KAFKA_BOOTSTRAP", "broker-without-a-port"),
        ("VIGIL_KAFKA_BOOTSTRAP", "broker:port"),
        ("VIGIL_KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("VIGIL_KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("VIGIL_PARTITIONS", "0"),
        ("VIGIL_PARTITIONS", "many"),
        ("VIGIL_REPLICATION", "8"),
        ("VIGIL_SESSION_TIMEOUT_MS", "100"),
        ("VIGIL_STARTUP_TIMEOUT_SECONDS", "0"),
        ("VIGIL_STARTUP_TIMEOUT_SECONDS", "inf"),
        ("VIGIL_HTTP_PORT", "65536"),
        ("VIGIL_PUBLIC_URL", "x"),
        ("VIGIL_MAX_BODY_BYTES", "1"),
        ("VIGIL_FUTURE_TOLERANCE_SECONDS", "-1"),
        ("VIGIL_TICK_SECONDS", "nan"),
        ("VIGIL_HEALTH_PORT", "-1"),
        ("VIGIL_LOG_LEVEL", "LOUD"),
        ("VIGIL_LOG_FORMAT", "xml"),
        ("VIGIL_LLM_QUEUE", "0"),
        ("VIGIL_LLM_DEADLINE_SECONDS", "0"),
    ],
)
def test_a_wrong_value_is_one_clear_error_that_names_the_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        Settings()
    assert caught.value.code == "settings.invalid"
    assert caught.value.field == variable
    assert str(caught.value).startswith(f"{variable}: ")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"VIGIL_{name.upper()}", "")
    assert Settings() == Settings.model_construct(
        **{name: field.default for name, field in Settings.model_fields.items()}
    )


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("VIGIL_PARTITIONS=12\nVIGIL_REPLICATION=3\nOTHER=1\n")
    monkeypatch.setenv("VIGIL_PARTITIONS", "24")
    settings = Settings()
    assert (settings.partitions, settings.replication) == (24, 3)


def test_several_values_are_separated_by_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_ONCALL_URLS", " mailto://a@b.c   json://ward:8080 ")
    assert Settings().oncall_urls == ("mailto://a@b.c", "json://ward:8080")
    assert Settings(oncall_urls=("json://x",)).oncall_urls == ("json://x",)


@pytest.mark.parametrize("password", sorted(DEFAULT_PASSWORDS))
@pytest.mark.parametrize(
    "form",
    ["postgresql://u:{}@h:5432/d", "postgres://u:{}@h/d", "postgresql://u@h/d?password={}"],
)
def test_a_default_database_password_is_refused_outside_the_demo(form: str, password: str) -> None:
    url = form.format(password)
    with pytest.raises(SettingsError) as caught:
        Settings(database_url=url).database()
    assert (caught.value.code, caught.value.field) == (
        "settings.default_secret",
        "VIGIL_DATABASE_URL",
    )
    assert Settings(database_url=url, demo=True).database() == url


def test_the_databases_default_is_for_the_demo_alone() -> None:
    with pytest.raises(SettingsError):
        Settings().database()
    assert Settings(demo=True).database()
    own = "postgresql://vigil:a-secret-of-ours@db:5432/vigil"
    assert Settings(database_url=own).database() == own
    assert Settings(database_url="postgresql:///vigil").database()  # no password: peer or trust


def test_a_percent_escape_hides_no_default_password() -> None:
    with pytest.raises(SettingsError):
        Settings(database_url="postgresql://u:%76igil@h/d").database()


@pytest.mark.parametrize("url", ["host=db password=vigil", "mysql://u:p@h/d", "http://[", ""])
def test_what_is_no_database_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(database_url=url).database()
    assert caught.value.code == "settings.invalid"
    assert "host=db" not in str(caught.value)


@pytest.mark.parametrize("password", sorted(DEFAULT_PASSWORDS))
def test_a_default_broker_password_is_refused_outside_the_demo(password: str) -> None:
    sasl = {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "PLAIN",
        "kafka_username": "vigil",
        "kafka_password": password,
    }
    with pytest.raises(SettingsError) as caught:
        Settings(**sasl).sasl_password()
    assert caught.value.field == "VIGIL_KAFKA_PASSWORD"
    assert Settings(**sasl, demo=True).sasl_password() == password


@pytest.mark.parametrize("missing", ["mechanism", "user", "password"])
def test_half_of_sasl_is_refused(missing: str) -> None:
    given: dict[str, object] = {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": None if missing == "mechanism" else "PLAIN",
        "kafka_username": None if missing == "user" else "vigil",
        "kafka_password": None if missing == "password" else "of-our-own",
    }
    with pytest.raises(SettingsError) as caught:
        Settings(**given)
    assert missing in str(caught.value.field).lower()


def test_a_password_without_sasl_is_refused_rather_than_not_used() -> None:
    with pytest.raises(SettingsError):
        Settings(kafka_password="of-our-own")


def test_no_secret_is_shown() -> None:
    settings = Settings(database_url="postgresql://u:very-secret@h/d", vapid_private_key="k" * 43)
    assert "very-secret" not in repr(settings)
    assert "k" * 43 not in str(settings)


def test_the_wards_zone_is_one_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().time_zone == "UTC"
    monkeypatch.setenv("VIGIL_TIME_ZONE", "Europe/Berlin")
    assert Settings().time_zone == "Europe/Berlin"
    for wrong in ("Europe/Bonn", "CEST+2", "../etc/passwd", "x" * 65):
        monkeypatch.setenv("VIGIL_TIME_ZONE", wrong)
        with pytest.raises(SettingsError) as refused:
            Settings()
        assert (refused.value.code, refused.value.field) == ("settings.invalid", "VIGIL_TIME_ZONE")
