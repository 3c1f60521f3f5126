"""A catalogue brought up to date: a newer plural rule moves no text to counts it is not for."""

from __future__ import annotations

import gettext
from pathlib import Path

import pytest
from babel.messages import Catalog

from vigil.values.catalog_files import bring_up_to_date, plural_counts, template
from vigil.values.catalogs import load

DAYS = ("days", ("{value} day", "{value} days"))
BEFORE = {
    "es": "nplurals=2; plural=(n != 1);",
    "hi": "nplurals=2; plural=(n != 1);",
    "ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : "
    "n%100>=0 && n%100<=2 ? 4 : 5);",
}  # fmt: skip
"""Rules that an earlier Babel wrote."""


def written(path: Path, rule: str) -> None:
    """A catalogue by that rule, whose forms are \"form 0\", \"form 1\", …"""
    forms = int(rule.partition(";")[0].removeprefix("nplurals="))
    translations = "".join(f'msgstr[{n}] "form {n}"\n' for n in range(forms))
    path.write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Plural-Forms: {rule}\\n"\n\n'
        f'msgctxt "days"\nmsgid "{DAYS[1][0]}"\nmsgid_plural "{DAYS[1][1]}"\n{translations}'
    )


@pytest.mark.parametrize(("locale", "rule"), BEFORE.items())
def test_each_form_stays_with_its_counts(tmp_path: Path, locale: str, rule: str) -> None:
    written(tmp_path / f"{locale}.po", rule)
    before = gettext.c2py(rule.partition("plural=")[2].rstrip(";"))
    new = ("weeks", ("{value} week", "{value} weeks"))
    bring_up_to_date(tmp_path, "some", [locale], template([DAYS, new], "# Some messages."))
    now = load(tmp_path / f"{locale}.po", locale)
    for count in plural_counts(locale):
        assert now.plural("days", *DAYS[1], count) == f"form {before(count)}"


def test_a_catalogue_by_the_present_rule_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "es.po"
    written(path, Catalog("es").plural_forms)
    bring_up_to_date(tmp_path, "some", ["es"], template([DAYS], "# Some messages."))
    once = path.read_bytes()
    bring_up_to_date(tmp_path, "some", ["es"], template([DAYS], "# Some messages."))
    assert path.read_bytes() == once
    assert load(path, "es").messages["days", DAYS[1][0]] == ("form 0", "form 1", "form 2")
