"""What happened to a ward or a patient in the last hours, in a few sentences."""
