"""The phrasebook in the database: written, reviewed, published again."""
