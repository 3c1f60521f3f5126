"""The content of an event: facts without figures, and the slots that hold the figures."""
