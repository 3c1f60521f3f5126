"""The HTTP gateway: ``POST /v1/readings`` and ``GET /v1/signals``."""
