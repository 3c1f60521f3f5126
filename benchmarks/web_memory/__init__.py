"""The memory of the web process while the boards of a ward are open for hours."""
