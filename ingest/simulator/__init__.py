"""Patients who do not exist, with known things happening to them.

Everything is a function of the seed, the person and absolute time: the same span gives the same
uploads, however it is cut. Whatever comes from here is labelled synthetic.
"""

from ingest.simulator.people import SimPatient, Truth, patients
from ingest.simulator.scenarios import SCENARIOS, Scenario

__all__ = ["SCENARIOS", "Scenario", "SimPatient", "Truth", "patients"]
