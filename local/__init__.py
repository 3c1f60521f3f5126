"""Everything on one machine: broker, database and services, under supervision."""
