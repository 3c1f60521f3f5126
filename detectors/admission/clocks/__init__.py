"""Devices whose clock is off: what shows it, and what follows for their readings."""
