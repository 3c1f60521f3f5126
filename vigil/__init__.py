"""Vigil's kernel: the domain model and what every stage of the pipeline shares.

The kernel imports no stage (`ingest`, `detectors`, `explain`, `store`, `notify`, `dashboard`);
only :mod:`cli`, the composition root, does, and late.
"""

from vigil.values import time_zones as _zones  # noqa: F401  (first of all: whose zones the process reads)

__version__ = "0.1.0"
