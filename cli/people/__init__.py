"""Commands about patients, devices, users and notifications."""
