"""Sentences for what was seen, each past the verifier: built, kept, published, reviewed."""
