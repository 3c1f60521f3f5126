-- How many phrases there are of those wanted.
-- Parameters: audience, kind, status, text (empty asks for any), like (of text).
-- Lives on: phrases, read whole (the phrasebook is finite).
SELECT count(*) AS n
FROM phrases p
WHERE (%(audience)s = '' OR p.audience = %(audience)s)
  AND (%(kind)s = '' OR p.kind = %(kind)s)
  AND (%(status)s = '' OR p.status = %(status)s)
  AND (%(text)s = '' OR p.text ILIKE %(like)s)
