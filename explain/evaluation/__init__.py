"""How good the words are: sets, checks, tables. ``vigil explain evaluate`` runs it."""
