"""The terms of the domain: readings, episodes, alerts, actions, and the tables of signals and
kinds."""
