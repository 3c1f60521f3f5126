"""Findings to episodes: delay, hysteresis, grouping, and the evidence of each step."""
