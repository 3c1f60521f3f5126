-- The actions on episodes, oldest first.
-- Parameters: ids (of episodes).
-- Uses: actions_by_event.
SELECT a.event_id AS episode_id, coalesce(nullif(u.display_name, ''), a.actor) AS actor, a.verb,
       a.time, a.comment
FROM actions a
LEFT JOIN users u ON u.user_id = a.actor
WHERE a.event_id = ANY(%(ids)s)
ORDER BY a.time, a.action_id
