"""Connections, migrations, and the translation of the driver's errors."""
