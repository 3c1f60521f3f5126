"""Describes events in plain language whose every word can be traced to the event's evidence.

:mod:`explain.templates.compose` is the entry point and needs nothing but the standard library,
msgspec and Babel. The language model (:mod:`explain.language_model.inference`) runs in a process of
its own and never delays an alert.
"""
