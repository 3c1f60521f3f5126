"""A batch of messages into the tables, in one transaction."""
