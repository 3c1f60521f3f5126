"""Home blood pressure, averaged over days."""
