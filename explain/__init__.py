"""An event in words: plain language that traces, word by word, to the evidence.

:mod:`explain.templates.compose` is the entry point and needs nothing but the standard library and
msgspec: the language model (:mod:`explain.language_model.model`) lives in a process of its own and
never delays an alert.
"""
