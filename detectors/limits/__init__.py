"""Absolute limits on a value, and on figures that two signals make together."""
