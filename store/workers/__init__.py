"""Where each worker stands, kept in the database, and its newest status."""
