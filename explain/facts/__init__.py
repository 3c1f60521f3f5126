"""What an event says: facts without figures, and the slots that hold the figures."""
