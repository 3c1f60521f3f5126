"""Who may do what; everyone who is signed in may see the wards."""

from __future__ import annotations

REVIEWERS = frozenset({"care_team", "admin"})
"""Roles that may review the phrasebook: whoever looks after patients, and administrators."""
