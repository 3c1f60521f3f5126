"""Which workers work, followed from their statuses, in words for the head of every page."""
