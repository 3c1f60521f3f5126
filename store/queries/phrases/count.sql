-- How many phrases match a filter.
-- Parameters: audience, kind, status, text (empty: any), like (of text).
-- Uses: phrases, read whole (the phrasebook is finite).
SELECT count(*) AS n
FROM phrases p
WHERE (%(audience)s = '' OR p.audience = %(audience)s)
  AND (%(kind)s = '' OR p.kind = %(kind)s)
  AND (%(status)s = '' OR p.status = %(status)s)
  AND (%(text)s = '' OR p.text ILIKE %(like)s)
