"""Which workers work, by their statuses, and the sentences on them for the head of every page."""
