"""Which values reach the detectors, and what is wrong with the others."""
