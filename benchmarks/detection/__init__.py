"""The proof of detection: Vigil and its peers on real recordings.

    python -m benchmarks.detection [SCENARIO …] [--out FOLDER] [--write-results]

``split`` who is tuned on, ``sets`` the recordings, ``injection`` episodes made into them,
``scoring`` what is counted, ``peers`` the other detectors, ``scenarios`` what is run.
"""
