"""Readings → events: detectors, episodes and the stream worker."""
