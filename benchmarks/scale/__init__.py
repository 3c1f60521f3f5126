"""How Vigil scales out: restart, growth of the cost, and what a million patients need.

``python -m benchmarks.scale`` runs it; ``docs/scale.md`` has the figures.
"""
