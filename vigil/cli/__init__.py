"""The command line, and with it the composition root: it alone imports the services, late."""
