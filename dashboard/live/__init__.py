"""Pages that update themselves."""
