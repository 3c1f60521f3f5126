"""Times in the texts of alerts are those of the page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from dashboard.shell.text_times import mark_times, of_event
from explain.templates.compose import compose
from tests.support.wording import event
from vigil.domain.ids import timestamp
from vigil.values.catalogs import LOCALES

ONSET = datetime(2026, 11, 19, 22, 10, tzinfo=UTC)
KNOWN = ONSET + timedelta(hours=5)
ELEMENT = re.compile(r'<time (data-\w+) data-seen="[^"]+" datetime="([^"]+)">([^<]+)</time>')


def test_each_time_stands_in_an_element_with_its_moment() -> None:
    end = KNOWN - timedelta(hours=1)
    text = "Began at 22:10 UTC on 19 November. Ended at 02:10 UTC."
    assert mark_times(text, (ONSET, end, None), seen_from=KNOWN) == (
        'Began at <time data-clock data-seen="2026-11-20T03:10:00Z"'
        ' datetime="2026-11-19T22:10:00Z">22:10 UTC on 19 November</time>.'
        ' Ended at <time data-clock data-seen="2026-11-20T03:10:00Z"'
        ' datetime="2026-11-20T02:10:00Z">02:10 UTC</time>.'
    )


def test_what_a_moment_is_not_stated_by_stays_as_it_is() -> None:
    assert mark_times("Seen at 11:11 UTC.", (ONSET,), seen_from=KNOWN) == "Seen at 11:11 UTC."
    far = datetime(1970, 1, 1, tzinfo=UTC)
    assert mark_times("At 00:00 UTC.", (far,), seen_from=far) == "At 00:00 UTC."


@given(st.text(), st.integers(0, 10**6))
def test_any_text_is_escaped_and_loses_nothing(text: str, minutes: int) -> None:
    here = ONSET + timedelta(minutes=minutes)
    whole = f"{text}{here:%H:%M} UTC{text}"
    marked = mark_times(whole, (here,), seen_from=here)
    assert isinstance(marked, Markup)
    assert ELEMENT.sub(r"\3", marked) == Markup.escape(whole)
    assert ("data-clock", timestamp(here)) in {found[:2] for found in ELEMENT.findall(marked)}


@pytest.mark.parametrize("locale", LOCALES)
def test_a_patients_text_is_found_in_each_language(locale: str) -> None:
    late = event(retrospective=True)
    body = compose(late).texts["patient"][locale].body
    marked = mark_times(
        body, (late.onset,), seen_from=late.detected_at, locale=locale, written="data-local"
    )
    [found] = ELEMENT.findall(marked)
    assert found[:2] == ("data-local", timestamp(late.onset))
    assert "UTC" not in ELEMENT.sub("", marked)


def test_the_care_teams_text_of_an_episode_has_no_time_that_is_not_marked() -> None:
    one = event()
    marked = of_event(one)(compose(one).texts["care_team"]["en"].body)
    assert timestamp(one.onset) in marked
    assert "UTC" not in ELEMENT.sub("", marked)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("observed", [True, False])
def test_a_time_before_midnight_is_found_with_its_date_and_without(
    locale: str, observed: bool
) -> None:
    """What was observed all along has a date, what was first seen within a day has none."""
    midnight = ONSET.replace(hour=0, minute=5) + timedelta(days=1)
    known = {**event().evidence, "duration_observed": observed}
    shown = event(
        onset=midnight - timedelta(minutes=22),
        detected_at=midnight,
        evidence=known,
        phase="updated",
    )
    for audience, texts in compose(shown).texts.items():
        for body in (texts[one].body for one in texts if one == locale):
            marked = of_event(shown, locale)(body)
            assert "UTC" not in ELEMENT.sub("", marked), (audience, body)
            moments = {found[1] for found in ELEMENT.findall(marked)}
            assert moments <= {timestamp(shown.onset)}
    assert any("UTC" in texts["en"].body for texts in compose(shown).texts.values())
