"""The summary of a shift."""
