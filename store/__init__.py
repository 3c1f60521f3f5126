"""The memory of Vigil: TimescaleDB where the server has it, plain PostgreSQL with the same names.

Nothing above this package knows which of the two it talks to.
"""
