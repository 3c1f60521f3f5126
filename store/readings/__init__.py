"""Readings in the database: written, aggregated, asked for, and let go after their time."""
