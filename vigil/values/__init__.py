"""Numbers, times and text, each read and written in one way everywhere."""
