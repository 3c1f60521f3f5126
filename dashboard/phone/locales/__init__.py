"""The patient's page in other languages: one gettext catalogue a locale.

``phone.pot`` is the template, made from :mod:`dashboard.phone.words` by
:mod:`dashboard.phone.locales.extract`.
"""

from __future__ import annotations

from pathlib import Path

from vigil.values.catalogs import LOCALES, Catalogue, catalogue

__all__ = ["FOLDER", "LOCALES", "of"]

FOLDER = Path(__file__).parent


def catalogue_for(locale: str) -> Catalogue:
    """The catalogue of a locale."""
    return catalogue(FOLDER, locale)
