"""What is usual for this person, learned online, and what is unusual."""
