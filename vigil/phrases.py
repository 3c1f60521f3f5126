"""Which of two revisions of a phrase holds: decided alike by every worker and by the database."""

from __future__ import annotations

from datetime import datetime

from vigil.model import Phrase, encode


def precedence(phrase: Phrase) -> tuple[int, datetime, bytes]:
    """The greater holds: the higher revision; of two reviews at once the later; then the bytes.

    The bytes settle what is left, so that the order of arrival makes no difference.
    """
    return phrase.revision, phrase.time, encode(phrase)
