-- Phrases in their current revision, by signature.
-- Parameters: ids.
-- Uses: phrases, by primary key.
SELECT p.phrase_id, p.signature, p.text, p.status, p.author, p.revision, p.time,
       coalesce(nullif(u.display_name, ''), p.by) AS by, p.model, p.adapter, p.prompt_hash,
       p.replaces
FROM phrases p
LEFT JOIN users u ON u.user_id = p.by
WHERE p.phrase_id = ANY(%(ids)s)
ORDER BY p.signature, p.phrase_id
