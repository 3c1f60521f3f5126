"""Zones come from one table: the pinned package, for Python, for pages, and beside the database."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zoneinfo
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.doctor.time_zones import differences
from cli.doctor.time_zones import zones as doctor
from local.parts import HOST, free_port
from store.database.connections import connect
from tests.support.retired_words import PRODUCTION
from vigil.service.settings import Settings
from vigil.values import time_zones
from vigil.values.clock import EARLIEST

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 30, tzinfo=UTC)
ASKED = """
from datetime import datetime
from zoneinfo import ZoneInfo
{first}
print(datetime(2026, 11, 30, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset())
"""


def offset_in_a_process(first: str, path: Path) -> str:
    """Berlin's offset where the machine's table has another city's file under its name."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED.format(first=first)], check=True, text=True,
        capture_output=True, env={**os.environ, "PYTHONTZPATH": str(path)},
    )  # fmt: skip
    return done.stdout.strip()


def test_the_machines_own_table_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "Europe").mkdir()
    tokyo = files("tzdata") / "zoneinfo" / "Asia" / "Tokyo"
    (tmp_path / "Europe" / "Berlin").write_bytes(tokyo.read_bytes())
    assert offset_in_a_process("", tmp_path) == "9:00:00"
    for first in ("import vigil.domain", "import dashboard.patient.chart", "import cli.main"):
        assert offset_in_a_process(first, tmp_path) == "1:00:00"
    assert zoneinfo.TZPATH == ()


def test_the_table_is_of_2026_or_newer() -> None:
    assert time_zones.VERSION >= "2026f"
    vancouver = time_zones.find("America/Vancouver")
    assert vancouver is not None
    assert NOW.astimezone(vancouver).utcoffset() == timedelta(hours=-7)  # no winter time any more


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, node


def _faults(path: Path) -> Iterator[str]:
    """What asks for the machine's zone, or for another table of zones."""
    text = path.read_text()
    for name, call in _calls(ast.parse(text)):
        arguments = len(call.args) + len(call.keywords)
        if (name == "astimezone" and not arguments) or name in {"localtime", "mktime", "tzset"}:
            yield f"{path}:{call.lineno} {name}"
        if name == "fromtimestamp" and arguments < 2:
            yield f"{path}:{call.lineno} {name}"
    for word in re.findall(
        r"^\s*(?:from|import) (pytz|dateutil|tzlocal|arrow|pendulum)", text, re.M
    ):
        yield f"{path}: {word}"


def test_no_code_asks_for_the_machines_zone_or_another_table() -> None:
    paths = [path for folder in PRODUCTION for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 200
    assert not [fault for path in paths for fault in _faults(path)]


def test_no_query_computes_a_zone() -> None:
    """What bins time does so in UTC; these are the functions that take the session's zone."""
    zoned = re.compile(
        r"at time zone|date_trunc|::date\b|current_date|localtime|make_timestamptz|to_timestamp\("
        r"|to_char\([^)]*tz", re.I,
    )  # fmt: skip
    texts = {p: p.read_text() for p in (ROOT / "store").rglob("*.sql")}
    texts |= {
        p: p.read_text() for f in ("store", "notify", "detectors") for p in (ROOT / f).rglob("*.py")
    }
    assert not [str(path) for path, text in texts.items() if zoned.search(text)]


def test_no_page_computes_a_zone() -> None:
    """Dates are written in UTC, and say so: the wall clock comes from the server's table."""
    scripts = list((ROOT / "dashboard").rglob("*.js"))
    assert scripts
    for path in scripts:
        text = path.read_text()
        local = r"toLocale|toDateString|\.(get|set)(Hours|Minutes|Date|Day|Month|FullYear|Timezone)"
        assert not re.search(local, text), path
        for found in re.finditer(r"new Intl\.DateTimeFormat\((.*?)\);", text, re.S):
            used = found[1]
            named = re.search(r", (\w+)$", used.strip())
            if named:
                used += re.search(rf"const {named[1]} = (.*)", text)[1]  # type: ignore[index]
            assert "UTC" in used, f"{path}: {used}"


names = st.sampled_from(sorted(zoneinfo.available_timezones()))
moments = st.integers(1, 10_500 * 86_400).map(lambda s: EARLIEST + timedelta(seconds=s))


@given(names, moments)
@example("Africa/Casablanca", datetime(2026, 2, 20, tzinfo=UTC))
@example("Africa/Cairo", datetime(2014, 7, 15, tzinfo=UTC))
@example("Asia/Kathmandu", NOW)
def test_a_page_is_sent_the_offsets_of_the_table(name: str, moment: datetime) -> None:
    found = time_zones.offsets(name, NOW)
    place = max(0, bisect_right(found.starts, moment.timestamp()) - 1)
    assert (
        timedelta(seconds=found.offsets[place])
        == moment.astimezone(zoneinfo.ZoneInfo(name)).utcoffset()
    )
    assert list(found.starts) == sorted(set(found.starts))


@pytest.mark.parametrize(
    "name", ["", "Nowhere/City", "../../etc/passwd", "/etc/localtime", "Europe"]
)
def test_what_is_no_zone_is_utc(name: str) -> None:
    assert time_zones.find(name) is None
    assert time_zones.offsets(name, NOW).offsets == (0,)


def test_every_session_is_in_utc_whatever_the_database_prefers(database_url: str) -> None:
    name = database_url.rsplit("/", 1)[1]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    with connect(Settings(demo=True, database_url=database_url)) as connection:
        row = connection.execute("SHOW timezone").fetchone()
    assert row == {"TimeZone": "UTC"}


def test_doctor_says_which_table_each_part_has(database_url: str) -> None:
    reported = {one.part: one for one in doctor(Settings(demo=True, database_url=database_url))}
    assert list(reported) == ["zones", "zones of the database", "zones of pages"]
    assert reported["zones"].state == "ok"
    for finding in reported.values():
        assert time_zones.VERSION in finding.what
    assert reported["zones of the database"].state in {"ok", "note"}


def test_a_database_with_another_table_is_named_by_its_zones() -> None:
    asked = ["America/Vancouver", "Europe/Berlin", "Pacific/Nowhere"]
    winter = [NOW]
    theirs = {"America/Vancouver": [-8 * 3600], "Europe/Berlin": [3600]}
    assert differences(theirs, asked[:2], winter) == ["America/Vancouver"]
    assert differences({}, ["Europe/Berlin"], winter) == ["Europe/Berlin"]


def test_without_a_database_doctor_says_the_rest() -> None:
    unreachable = Settings(
        demo=True, database_url=f"postgresql://vigil:vigil@{HOST}:{free_port()}/vigil"
    )
    assert [one.part for one in doctor(unreachable)] == ["zones", "zones of pages"]
