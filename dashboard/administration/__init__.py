"""The administrators' pages: who is enrolled, and which workers run."""
