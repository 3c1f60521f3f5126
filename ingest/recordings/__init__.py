"""Recordings: CSV files of readings, read and written."""
