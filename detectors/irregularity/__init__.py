"""Whether the heart beats irregularly, as far as rates show it."""
