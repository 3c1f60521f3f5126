"""Pages that keep themselves current."""
