"""Uploads in, events out: pure, with no clock, no broker and no database."""
