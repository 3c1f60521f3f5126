"""An event to an alert from the reviewed tables: pure, deterministic, at once."""
