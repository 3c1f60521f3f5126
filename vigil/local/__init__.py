"""Runs everything on one machine: broker, database and services, under supervision."""
