"""Deliveries, sent and retried on threads of their own."""
