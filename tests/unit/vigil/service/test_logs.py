"""No patient's value or identity reaches a log line, whoever writes it."""

from __future__ import annotations

import ast
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support.retired_words import PRODUCTION
from vigil.domain.signals import NAMES
from vigil.service import logs
from vigil.service.errors import WireError
from vigil.service.settings import Settings

ROOT = Path(__file__).parents[4]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
SECRET = "Zoë-Quux-4711"  # stands for anything about a patient


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root, hook, thread_hook = logging.getLogger(), sys.excepthook, threading.excepthook
    handlers, level = root.handlers, root.level
    yield
    root.handlers, sys.excepthook, threading.excepthook = handlers, hook, thread_hook
    root.setLevel(level)
    logging.raiseExceptions = True
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


EITHER = pytest.mark.parametrize("form", ["json", "console"])


def set_up(form: str) -> None:
    """Logging at its most talkative, on the stderr of now."""
    logs.configure(Settings(demo=True, log_level="DEBUG", log_format=form), "test")


FIELDS = st.dictionaries(
    st.sampled_from(sorted(logs.PRIVATE)),
    st.one_of(st.just(SECRET), st.just([SECRET]), st.dictionaries(st.just("a"), st.just(SECRET))),
    min_size=1,
)


def _fail(error: Exception) -> None:
    raise error from KeyError(SECRET)


@EITHER
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(fields=FIELDS)
def test_private_fields_are_dropped(
    fields: dict[str, object], form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(form)
    logs.get("test").warning("stored", rows=3, patient_id=SECRET, device_id=SECRET, **fields)
    line = capsys.readouterr().err
    assert "stored" in line
    assert SECRET not in line
    assert ascii(SECRET)[1:-1] not in line


def test_every_signal_is_private() -> None:
    assert set(NAMES) <= logs.PRIVATE


def test_the_digest_tells_patients_apart_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(demo=True), "test")
    log = logs.get("test")
    for patient in (SECRET, "other", SECRET):
        log.info("late", patient_id=patient)
    one, two, three = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert one["patient"] == three["patient"] != two["patient"]
    assert set(one) == {"event", "level", "part", "patient", "service", "time"}


@EITHER
def test_of_an_error_only_type_code_and_place_are_logged(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(form)
    try:
        _fail(WireError(f"{SECRET} is broken.", code="wire.rejected"))
    except WireError:
        logs.get("test").exception("handler failed")
        logging.getLogger("library").exception("failed on %s", SECRET)
    lines = capsys.readouterr().err
    assert SECRET not in lines
    assert lines.count("WireError (wire.rejected)") == 2
    assert lines.count("KeyError") == 2
    assert "test_logs.py:" in lines


@EITHER
def test_of_a_librarys_line_the_values_are_left_out(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(form)
    logging.getLogger("kafka.producer").warning("could not send %r to %s", SECRET, "topic")
    logging.getLogger("asyncio").error(f"Task exception was never retrieved\nfuture: {SECRET}")
    logging.getLogger("library").error(ValueError(SECRET))
    logging.getLogger("library").error("%d too many", SECRET)
    lines = capsys.readouterr().err
    assert SECRET not in lines
    assert "could not send %r to %s" in lines
    assert "Task exception was never retrieved" in lines
    assert "kafka.producer" in lines


def test_a_librarys_chatter_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(demo=True, log_level="DEBUG"), "test")
    logging.getLogger("kafka").debug("Sending value=%r", SECRET)
    logging.getLogger("kafka").info("joined")
    assert capsys.readouterr().err == ""


def test_a_librarys_line_is_said_once_in_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(demo=True), "test")
    (handler,) = logging.getLogger().handlers

    def log_line(second: float, name: str = "kafka.net", error: object = None) -> None:
        record = logging.makeLogRecord(
            {"name": name, "msg": "lost %s", "created": 1e9 + second, "levelno": logging.ERROR,
             "levelname": "ERROR", "exc_info": error}
        )  # fmt: skip
        handler.handle(record)

    for tenth in range(205):
        log_line(tenth / 10)
    log_line(0, name="kafka.cluster")
    log_line(20.5, error=(OSError, OSError(), None))
    log_line(3.0)  # the clock was set back
    reported = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line.get("left_out", 0) for line in reported] == [0, 99, 99, 0, 0, 4]
    assert [line["part"] for line in reported].count("kafka.cluster") == 1


@EITHER
def test_an_error_that_ends_a_thread_or_the_process_is_logged_the_same_way(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(form)
    thread = threading.Thread(target=_fail, args=(ValueError(SECRET),))
    thread.start()
    thread.join()
    try:
        _fail(ValueError(SECRET))
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    lines = capsys.readouterr().err
    assert lines.count("ended by an error") == 2
    assert lines.count("ValueError") >= 2
    assert SECRET not in lines


def test_what_is_less_severe_than_asked_for_is_not_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(Settings(demo=True, log_level="WARNING"), "test")
    logs.get("test").info("chatter")
    assert capsys.readouterr().err == ""


def _log_calls() -> Iterator[tuple[str, ast.Call]]:
    for package in PRODUCTION:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=attr)) if (
                        attr in LEVELS
                    ):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_what_happened_is_said_in_words_that_do_not_vary() -> None:
    calls = list(_log_calls())
    assert len(calls) > 10
    for place, call in calls:
        assert call.args, place
        assert isinstance(call.args[0], ast.Constant), f"{place}: the first argument varies"
        assert len(call.args) == 1, f"{place}: values belong in named fields"
        for field in call.keywords:
            assert field.arg is not None, f"{place}: name each field"
            assert field.arg not in logs.PRIVATE, f"{place}: {field.arg} never reaches the line"
