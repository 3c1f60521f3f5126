-- A page of the phrasebook, by signature.
-- Parameters: audience, kind, status, text (empty: any), like (of text), size, skip.
-- Uses: phrases_in_order (the phrasebook is finite: kinds times locales times sentences).
SELECT p.phrase_id, p.signature, p.text, p.status, p.author, p.revision, p.time,
       coalesce(nullif(u.display_name, ''), p.by) AS by, p.model, p.adapter, p.prompt_hash,
       p.replaces
FROM phrases p
LEFT JOIN users u ON u.user_id = p.by
WHERE (%(audience)s = '' OR p.audience = %(audience)s)
  AND (%(kind)s = '' OR p.kind = %(kind)s)
  AND (%(status)s = '' OR p.status = %(status)s)
  AND (%(text)s = '' OR p.text ILIKE %(like)s)
ORDER BY p.signature, p.phrase_id
LIMIT %(size)s OFFSET %(skip)s
