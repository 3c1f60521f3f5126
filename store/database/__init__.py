"""Connections, migrations, and what the driver's errors mean."""
