"""How much one process takes from the topic: Vigil, its limit, and other Python stream processors.

``python -m benchmarks.stream`` runs it; :mod:`benchmarks.stream.jobs` holds what is compared.
"""
