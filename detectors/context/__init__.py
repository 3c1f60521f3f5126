"""What the person was doing, and whether it is night."""
