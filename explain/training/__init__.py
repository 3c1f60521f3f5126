"""Fits the language model to sentences of our own. Needs the extra ``llm``; never used live."""
