"""Signing in, sessions, passwords, and the guard in front of every page."""
