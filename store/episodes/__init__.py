"""Episodes as the care team's pages ask for them."""
