"""The command line, and with it the composition root: thin commands on top of everything."""
