"""The whole way, measured: ``python -m benchmarks.pipeline``."""
