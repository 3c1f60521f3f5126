"""What Vigil speaks about: readings, episodes, alerts, actions, and the tables of signals and
kinds."""
