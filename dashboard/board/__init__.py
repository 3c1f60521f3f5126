"""The ward board: rows, order, counts, sparklines."""
