"""Delivers alerts to people: Web Push, on-call channels, receipts."""
