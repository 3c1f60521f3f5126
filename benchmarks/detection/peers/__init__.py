"""The other detectors, one a file, behind :mod:`benchmarks.detection.peers.contract`."""
