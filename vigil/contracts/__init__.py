"""The topics and what may stand on them: encoding, bounds, schemas, and whose clock is believed."""
