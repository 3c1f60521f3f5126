"""The page on which the care team reviews the phrasebook."""
