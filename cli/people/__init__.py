"""Commands about patients, devices, readings, users and notifications."""
