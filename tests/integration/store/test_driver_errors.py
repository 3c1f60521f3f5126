"""Translation of the database's errors: by SQLSTATE, or by the message if there is none."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from store.database.connections import connect, open_pool, translated
from vigil.service.errors import CODES, UnavailableError
from vigil.service.settings import Settings


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT * FROM nothing_of_ours", "unavailable.schema"),
        ("SELECT nothing_of_ours FROM latest", "unavailable.schema"),
        ("SELECT nothing_of_ours(1)", "unavailable.schema"),
        ("INSERT INTO checkpoints (topic) VALUES ('t') ON CONFLICT (epoch) DO NOTHING",
         "unavailable.schema"),
        ("SET statement_timeout = 1; SELECT pg_sleep(9)", "unavailable.database_slow"),
        ("SET default_transaction_read_only = on; COMMIT; DELETE FROM latest",
         "unavailable.database_read_only"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "unavailable.database"),
        ("SET SESSION AUTHORIZATION nobody_at_all; SELECT * FROM latest",
         "unavailable.database_access"),
        ("LOAD 'timescaledb-0.0.1'", "unavailable.timescaledb"),
        ("SELECT lo_import('/nothing/here')", "unavailable.timescaledb"),
    ],
)  # fmt: skip
def test_the_error_of_a_statement_has_its_code_and_how_to_fix(
    database_url: str, statement: str, code: str
) -> None:
    with psycopg.connect(database_url) as opened:
        opened.execute("DO $$ BEGIN CREATE ROLE nobody_at_all; EXCEPTION WHEN others THEN END $$")
        with pytest.raises(UnavailableError) as raised, translated():
            opened.execute(statement)
    assert (raised.value.code, bool(raised.value.how_to_fix)) == (code, True)
    assert raised.value.field == "VIGIL_DATABASE_URL"


@pytest.mark.parametrize(
    "state",
    ["53100", "53300", "57P01", "57P02", "57P03", "58P01", "28P01", "0A000", "58030", "40P01"],
)
def test_every_meant_state_has_a_code(database_url: str, state: str) -> None:
    with (
        psycopg.connect(database_url) as opened,
        pytest.raises(UnavailableError) as raised,
        translated(),
    ):
        opened.execute(f"DO $$ BEGIN RAISE 'so' USING ERRCODE = '{state}'; END $$")
    assert raised.value.code in CODES
    assert "so" in raised.value.message


def test_a_slip_of_ours_stays_as_it_is(database_url: str) -> None:
    with psycopg.connect(database_url) as opened:
        with pytest.raises(psycopg.errors.DivisionByZero), translated():
            opened.execute("SELECT 1 / 0")
        opened.rollback()
        with pytest.raises(psycopg.errors.SyntaxError), translated():
            opened.execute("SELEKT")


@pytest.fixture
def crowded_url(postgres_url: str, database_url: str) -> Iterator[str]:
    """A database that takes no connection of a plain role."""
    name = database_url.rsplit("/", 1)[1]
    role = f"r_{name}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x1'")
        admin.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        host = urlsplit(postgres_url).netloc.partition("@")[2]
        yield f"postgresql://{role}:x1@{host}/{name}"
        admin.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
        admin.execute(f"DROP ROLE {role}")


def refused(url: str) -> UnavailableError:
    with pytest.raises(UnavailableError) as raised:
        connect(Settings(demo=True, database_url=url))
    return raised.value


def test_a_refused_connection_is_recognised_by_the_servers_message(
    crowded_url: str, database_url: str
) -> None:
    assert refused(crowded_url).code == "unavailable.database_connections"
    assert refused(crowded_url.replace(":x1@", ":x2@")).code == "unavailable.database_access"
    assert refused(database_url + "_not").code == "unavailable.database_access"
    unreachable = refused("postgresql://u:x1@127.0.0.1:1/d")
    assert unreachable.code == "unavailable.database"
    assert "refused" in unreachable.message


def test_a_pool_without_a_connection_reports_it(database_url: str) -> None:
    settings = Settings(demo=True, database_url=database_url)
    with (
        open_pool(settings, 1) as pool,
        pool.connection(),
        pytest.raises(UnavailableError),
        translated(),
    ):
        pool.getconn(0.05)
