"""A batch of messages into the tables, in one transaction or, with late readings, in several."""
