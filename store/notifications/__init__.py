"""The delivery log: what is to be sent to whom, and the outcome."""
