"""Scorecards that add up signal by signal: partial NEWS2, and the risk of deterioration."""
