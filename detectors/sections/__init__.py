"""The tables of the detection configuration, one file a detector; figures are in ``defaults/``."""
