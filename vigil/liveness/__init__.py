"""Whether a worker's messages move, who else is in its group, and how its last run ended."""
