"""What a stage offers the process that runs it, and what that process says of itself."""
