"""What a patient reads, in other languages: one gettext catalogue a locale.

``vigil.pot`` is the template, made from the English tables by :mod:`explain.tables.extract`.
"""

from __future__ import annotations

from pathlib import Path

from vigil.values.catalogs import LOCALES, Catalogue, catalogue

__all__ = ["FOLDER", "LOCALES", "of", "space"]

FOLDER = Path(__file__).parent


def sentence_separator(locale: str) -> str:
    """What stands between two sentences: nothing in Chinese."""
    return "" if locale == "zh" else " "


def catalogue_for(locale: str) -> Catalogue:
    """The catalogue of a locale."""
    return catalogue(FOLDER, locale)
