"""The same log gives the same events and saved states, whichever Python runs detection."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import msgspec
import pytest
from msgspec.structs import replace

from tests.support import digests
from tests.support.digests import Record, merged
from tests.support.retired_words import ROOT


@cache
def here() -> Record:
    return digests.present()


def test_this_python_gives_the_recorded_digests() -> None:
    recorded = digests.recorded()
    same = here().wards == recorded.wards
    if not same and here().verified[0].exp not in {one.exp for one in recorded.verified}:
        pytest.skip("the C library's exp is none of those recorded (docs/determinism.md)")
    assert same, "meant to change? make digests"


@pytest.mark.slow
def test_no_order_of_a_set_decides_what_an_event_is() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.support.digests"]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert msgspec.json.decode(made.stdout, type=Record).wards == here().wards


def test_each_ward_has_something_to_say() -> None:
    assert {name for name, found in here().wards.items() if not found.events} == set()


def test_a_platform_joins_those_that_gave_the_same() -> None:
    old = here()
    (one,) = old.verified
    other = replace(old, verified=[msgspec.structs.replace(one, python="CPython 3.9.1")])
    assert [each.python for each in merged(old, other).verified] == ["CPython 3.9.1", one.python]
    assert merged(old, old) == old == merged(None, old)


def test_what_others_gave_is_not_known_once_a_digest_changes() -> None:
    old = here()
    changed = {**old.wards, "minutes": replace(old.wards["minutes"], events=0)}
    new = replace(old, wards=changed)
    assert merged(old, new) == new
