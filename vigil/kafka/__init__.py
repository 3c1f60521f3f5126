"""Kafka clients and readers of topics, all made here with the same settings."""
