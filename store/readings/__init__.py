"""Readings in the database: written, aggregated, queried, and deleted after their retention."""
