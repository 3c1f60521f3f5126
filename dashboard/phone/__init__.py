"""The patient's page: their messages, replies, and push notifications on their phone.

It shows only what was written for the patient, works without a script for reading and replying, and
loads nothing from other sites.
"""

from dashboard.phone.routes import install

__all__ = ["install"]
