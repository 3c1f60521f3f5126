"""One message of a conversation with a model. Not in :mod:`explain.language_model.prompt`, whose
tables a model's process does not need, so that it starts sooner."""

from __future__ import annotations

Message = dict[str, str]
"""``role`` (``system``, ``user`` or ``assistant``) and ``content``, as the chat APIs name them."""
