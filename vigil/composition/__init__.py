"""What a stage offers the process that runs it, and the status that this process reports."""
