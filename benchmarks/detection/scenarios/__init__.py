"""What is run: a module a scenario, each with ``NAME`` and ``run(options) -> Report``."""
