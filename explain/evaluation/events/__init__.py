"""Events for the evaluation, generated from a seed, and the sets made of them."""
