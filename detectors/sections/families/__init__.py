"""The tables of the detector families, one file each."""
