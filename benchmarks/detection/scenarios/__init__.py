"""What is run: a module a scenario, each with ``run(options) -> Report``; adding one adds a row."""

SCENARIOS = ("injected", "without_steps", "infection", "river", "cuff", "icu", "holter")
"""In the order in which they are shown."""
