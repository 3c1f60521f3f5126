-- Every revision of a phrase, the newest first.
-- Parameters: phrase.
-- Uses: phrase_history, by primary key.
SELECT h.revision, h.status, h.time, coalesce(nullif(u.display_name, ''), h.by) AS by
FROM phrase_history h
LEFT JOIN users u ON u.user_id = h.by
WHERE h.phrase_id = %(phrase)s
ORDER BY h.revision DESC, h.time DESC, h.content DESC
