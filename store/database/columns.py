"""The columns of a table whose rows are messages."""

from __future__ import annotations

from typing import Any


def columns(struct: Any) -> tuple[str, ...]:
    """The fields of a message that are columns of its table, in order.

    A column ``event_id`` holds what messages call ``episode_id``; they carry both names for one
    release (:func:`vigil.domain.ids.fill_episode_names`).

    >>> from vigil.domain.action import Action
    >>> columns(Action)[:3]
    ('action_id', 'event_id', 'patient_id')
    """
    return tuple(name for name in struct.__struct_fields__ if name != "episode_id")
