"""The commands. Adding one is adding a file with ``add_to(app)`` and a name here."""

from __future__ import annotations

from importlib import import_module

import typer

NAMES = (
    "demo",
    "up",
    "run",
    "replay",
    "backtest",
    "budget",
    "rebuild",
    "simulate",
    "doctor",
    "topics",
    "schemas",
    "notify",
    "patient",
    "device",
    "deadletter",
    "stream",
    "explain",
    "explain_evaluate",
    "user",
)


def register(app: typer.Typer) -> None:
    """Add every command to the application."""
    for name in NAMES:
        import_module(f"{__name__}.{name}").add_to(app)
