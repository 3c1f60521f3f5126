"""Patients, devices, users and phones, and the directory that is published of them."""
