"""Vigil's tests; folders mirror the packages. A package, so that no other ``tests`` hides it."""
