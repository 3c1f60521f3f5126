"""Queries of episodes for the care team's pages, and shadow tables for a rebuild."""
