"""The topics and their messages: encoding, bounds, schemas, and the check of senders' clocks."""
