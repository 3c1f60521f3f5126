"""The patient's page: their messages, a way to answer, and push notifications on their phone.

It shows what was written for the patient and nothing else, works without a script for reading and
answering, and asks no other site for anything.
"""

from dashboard.phone.routes import install

__all__ = ["install"]
