-- The kinds of episode that have phrases.
-- Uses: phrases, read whole (the phrasebook is finite).
SELECT DISTINCT kind
FROM phrases
ORDER BY kind
