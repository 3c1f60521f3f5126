"""Readings that do not count after all: what rested on them is judged again without them."""
