"""Commands about the topics: where workers stand, and what was refused."""
