-- How many phrases there are of each status.
-- Uses: phrases, read whole (the phrasebook is finite).
SELECT status, count(*) AS n
FROM phrases
GROUP BY status
