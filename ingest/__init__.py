"""A device's words → a valid reading on the topic: gateway, replay, simulator."""
