"""``vigil doctor``: is everything there, and does it work now."""
