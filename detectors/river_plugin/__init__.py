"""River's own anomaly and drift detectors, by configuration."""
