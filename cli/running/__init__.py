"""Commands that start Vigil or show what it offers."""
