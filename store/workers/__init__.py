"""Workers' offsets, checkpoints and newest status in the database."""
