"""Commands about the topics: offsets of the workers, and dead letters."""
