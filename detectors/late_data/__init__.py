"""Late data: where in the past a late reading may still be judged, and those that wait."""
