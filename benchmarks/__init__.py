"""Speed and quality, measured against peers or limits; one command each. See RESULTS.md."""
