"""Recordings and stored history through the engine once more, and what came of it."""
