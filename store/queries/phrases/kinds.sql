-- The kinds that there are phrases for.
-- Lives on: phrases, read whole (the phrasebook is finite).
SELECT DISTINCT kind
FROM phrases
ORDER BY kind
