"""The scenario library: files that a clinician can read (``tests/unit/detectors/scenarios``)."""
