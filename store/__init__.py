"""Vigil's database: TimescaleDB where the server has it, plain PostgreSQL with the same relations.

No package above depends on which of the two it is.
"""
