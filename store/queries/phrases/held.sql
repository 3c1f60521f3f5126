-- The messages that hold of some phrases.
-- Parameters: ids.
-- Lives on: phrases, by primary key.
SELECT content
FROM phrases
WHERE phrase_id = ANY(%(ids)s)
