"""Night-time resting heart rate, followed over days."""
