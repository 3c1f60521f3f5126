"""Whether a worker's messages advance, who else is in its group, and how its last run ended."""
