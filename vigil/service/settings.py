"""Every setting of Vigil, read once per process from the environment (``VIGIL_…``) or ``.env``.

Each has a row in ``docs/settings.md``; a test compares the two. A default secret works in the demo
only: elsewhere reading it raises :class:`~vigil.service.errors.SettingsError`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from vigil.service.errors import SettingsError
from vigil.values import time_zones

DEFAULT_PASSWORDS = frozenset({"vigil", "postgres", "password", "changeme", "change-me"})


def _split(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Several values in one variable, separated by spaces."""


class Settings(BaseSettings):
    """One process's settings. Names in the environment: ``VIGIL_`` and the field, upper case."""

    model_config = SettingsConfigDict(
        env_prefix="VIGIL_",
        env_file=".env",
        env_ignore_empty=True,  # compose passes what .env leaves out as an empty string
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )

    demo: bool = Field(False, description="Accept default secrets; show 'demo' on every page.")

    kafka_bootstrap: str = Field(
        "127.0.0.1:9092",
        description="Kafka brokers: `host:port`, several separated by commas.",
        pattern=r"^\s*[^\s,]+:\d+(\s*,\s*[^\s,]+:\d+)*\s*$",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Protocol of the connection to the brokers."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="Where the protocol is SASL_…"
    )
    kafka_username: str | None = Field(None, description="SASL user.")
    kafka_password: SecretStr | None = Field(None, description="SASL password.")
    kafka_ca_file: Path | None = Field(None, description="CA certificate of the brokers (PEM).")
    partitions: int = Field(6, ge=1, le=1000, description="Partitions of each new topic.")
    replication: int = Field(1, ge=1, le=7, description="Replicas of each new topic.")
    session_timeout_ms: int = Field(
        6000,
        ge=3000,
        le=300_000,
        description="A worker without a heartbeat for this long loses its partitions.",
    )
    checkpoint_seconds: float = Field(
        1,
        ge=0.05,
        le=60,
        description="How often a worker saves its state; what came since is processed again "
        "after a crash.",
    )
    startup_timeout_seconds: float = Field(
        60, gt=0, description="How long a starting process waits for broker and database."
    )

    deadletter_dir: Path = Field(
        Path("~/.local/state/vigil/deadletters"),
        description="Where dead letters are kept that the broker does not accept.",
    )
    deadletter_dir_bytes: int = Field(
        268_435_456,
        ge=1_048_576,
        description="The most that they may use there.",
    )

    database_url: SecretStr = Field(
        SecretStr("postgresql://vigil:vigil@127.0.0.1:5432/vigil"),
        description="PostgreSQL, with TimescaleDB where there is one.",
    )
    keep_readings_days: int | None = Field(
        None,
        ge=14,
        le=36_500,
        description="Older readings are deleted, their averages stay; none: all are kept.",
    )

    http_host: str = Field("127.0.0.1", description="Address that the web process listens on.")
    http_port: int = Field(8000, ge=0, le=65535, description="Its port; 0 uses a free one.")
    public_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where people reach the web process; written into links and push messages.",
        min_length=8,
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="Largest request body accepted.")
    max_requests: int = Field(128, ge=4, le=10_000, description="Requests answered at once.")
    max_connections: int = Field(
        1024, ge=16, le=100_000, description="Connections held at once; one address has half."
    )
    request_seconds: float = Field(
        30, ge=0.1, le=600, description="How long a request may take to arrive."
    )
    trusted_proxies: Words = Field(
        (),
        description="Addresses of proxies whose X-Forwarded-For is trusted, separated by spaces.",
    )
    future_tolerance_seconds: float = Field(
        300, ge=0, description="How far a device's clock may run ahead."
    )
    time_zone: str = Field(
        "UTC",
        description="IANA zone of the ward: of times in messages to on-call staff.",
        max_length=64,
    )
    tick_seconds: float = Field(
        15, gt=0, description="How often a tick is written into each partition."
    )

    health_port: int = Field(
        0, ge=0, le=65535, description="Port of a worker's /health and /metrics; 0: none."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe line that is logged."
    )
    log_format: Literal["json", "console"] = Field("json", description="Form of a log line.")

    detection_config: Path | None = Field(
        None, description="TOML file of limits and pipelines by ward and patient."
    )
    llm: bool = Field(
        False, description="Let the language model reword alerts (needs the extra `llm`)."
    )
    model_dir: Path = Field(
        Path("~/.cache/vigil/models"), description="Where the language model's files are kept."
    )
    llm_model: Path | None = Field(
        None, description="Folder of another causal language model (config.json, safetensors)."
    )
    llm_endpoint: str | None = Field(
        None,
        description="OpenAI-compatible endpoint to ask instead, up to its version: `http://…/v1`.",
        pattern=r"^https?://[^\s/@]+(/\S*)?$",
    )
    llm_endpoint_model: str | None = Field(None, description="What the endpoint calls the model.")
    llm_endpoint_key: SecretStr | None = Field(
        None, description="The endpoint's key, sent as a bearer token."
    )
    llm_deadline_seconds: float = Field(
        20, gt=0, description="A rewording that takes longer is dropped."
    )
    patient_text: Literal["approved", "verified"] = Field(
        "approved",
        description="Which sentences of the phrasebook a patient may read.",
    )
    llm_queue: int = Field(64, ge=1, description="Alerts that may wait for the model at once.")

    vapid_private_key: SecretStr | None = Field(
        None, description="VAPID key (`vigil notify keys` makes one); none: no Web Push."
    )
    vapid_contact: str = Field(
        "mailto:ward@example.invalid", description="Contact that push services may write to."
    )
    oncall_urls: Words = Field(
        (), description="Apprise URLs of on-call staff, separated by spaces."
    )
    push_hosts: Words = Field(
        (
            "fcm.googleapis.com",
            "*.push.services.mozilla.com",
            "*.push.apple.com",
            "*.notify.windows.com",
        ),
        description="Hosts that a push subscription may name, separated by spaces.",
    )

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            name = "VIGIL_" + "_".join(str(part) for part in first["loc"]).upper()
            raise SettingsError(
                f"{first['msg']}.",
                code="settings.invalid",
                field=name,
                how_to_fix="See docs/settings.md for what it takes.",
            ) from None

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        wanted = self.kafka_security_protocol.startswith("SASL")
        for name in ("kafka_sasl_mechanism", "kafka_username", "kafka_password"):
            if wanted != (getattr(self, name) is not None):
                raise SettingsError(
                    f"It {'is missing' if wanted else 'has no use'} with"
                    f" VIGIL_KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}.",
                    code="settings.invalid",
                    field=f"VIGIL_{name.upper()}",
                    how_to_fix=(
                        "SASL takes a mechanism, a user and a password; without it, none of them."
                    ),
                )
        return self

    @model_validator(mode="after")
    def _zone_is_known(self) -> Self:
        if time_zones.find(self.time_zone) is None:
            raise SettingsError(
                f"{self.time_zone!r} is no zone of the IANA table.",
                code="settings.invalid",
                field="VIGIL_TIME_ZONE",
                how_to_fix="Name one, as Europe/Berlin.",
            )
        return self

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if self.llm_model and self.llm_endpoint:
            raise SettingsError(
                "It has no use with VIGIL_LLM_MODEL.",
                code="settings.invalid",
                field="VIGIL_LLM_ENDPOINT",
                how_to_fix="Name a folder or an endpoint, not both.",
            )
        if bool(self.llm_endpoint) != bool(self.llm_endpoint_model):
            raise SettingsError(
                "An endpoint and the name of its model belong together.",
                code="settings.invalid",
                field="VIGIL_LLM_ENDPOINT_MODEL",
                how_to_fix="Set both, or neither.",
            )
        return self

    @property
    def served_over_https(self) -> bool:
        """Whether people reach the web process over HTTPS, so that cookies may be tied to it."""
        return self.public_url.startswith("https://")

    def database(self) -> str:
        """The database's URL.

        Raises:
            SettingsError: it is no URL of a PostgreSQL, or carries a default password outside the
                demo.
        """
        url = self.database_url.get_secret_value()
        try:
            parts = urlsplit(url)
            passwords = {unquote(parts.password or ""), *parse_qs(parts.query).get("password", [])}
        except ValueError:
            parts, passwords = urlsplit(""), set()
        if parts.scheme not in {"postgresql", "postgres"}:
            raise SettingsError(
                "It is no URL of a PostgreSQL database.",
                code="settings.invalid",
                field="VIGIL_DATABASE_URL",
                how_to_fix="It looks like postgresql://user:password@host:5432/name.",
            )
        if not self.demo and passwords & DEFAULT_PASSWORDS:
            raise SettingsError(
                "The database password is a default one.",
                code="settings.default_secret",
                field="VIGIL_DATABASE_URL",
                how_to_fix="Set one of your own; VIGIL_DEMO=1 accepts it for a demonstration.",
            )
        return url

    def sasl_password(self) -> str | None:
        """The broker's password.

        Raises:
            SettingsError: it is a default one outside the demo.
        """
        if self.kafka_password is None:
            return None
        password = self.kafka_password.get_secret_value()
        if not self.demo and password in DEFAULT_PASSWORDS:
            raise SettingsError(
                "The broker password is a default one.",
                code="settings.default_secret",
                field="VIGIL_KAFKA_PASSWORD",
                how_to_fix="Set one of your own; VIGIL_DEMO=1 accepts it for a demonstration.",
            )
        return password
