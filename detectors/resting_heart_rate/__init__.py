"""Night-time resting heart rate, tracked over days."""
