"""The detection configuration, read from the shipped figures and an operator's file."""
