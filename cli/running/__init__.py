"""Commands that start Vigil, or list its topics and schemas."""
