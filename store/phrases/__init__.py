"""The phrasebook in the database: written, reviewed, published again after a lost log."""
