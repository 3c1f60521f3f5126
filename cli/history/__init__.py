"""Commands that play recordings and stored history."""
