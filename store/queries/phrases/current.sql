-- The messages with the current revision of phrases.
-- Parameters: ids.
-- Uses: phrases, by primary key.
SELECT content
FROM phrases
WHERE phrase_id = ANY(%(ids)s)
