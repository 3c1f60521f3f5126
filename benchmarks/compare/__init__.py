"""Two checkouts of Vigil, beside each other in one run."""
