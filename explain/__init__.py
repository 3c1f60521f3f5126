"""An event → words that can be checked: facts, templates, verifier, language model."""
