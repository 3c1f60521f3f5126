-- How many phrases there are of each status.
-- Lives on: phrases, read whole (the phrasebook is finite).
SELECT status, count(*) AS n
FROM phrases
GROUP BY status
