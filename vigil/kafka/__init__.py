"""Kafka clients and readers of topics, all created here with the same settings."""
