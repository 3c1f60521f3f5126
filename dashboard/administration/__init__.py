"""Who is enrolled, and how the system is doing."""
