-- Everyone who may sign in or once might, and when they were last here.
-- Lives on: users and sessions, read whole (sessions that ended are swept out).
SELECT u.user_id, u.display_name, u.role, u.active,
       (SELECT max(last_seen_at) FROM sessions s WHERE s.user_id = u.user_id) AS last_seen_at
FROM users u
ORDER BY u.active DESC, u.user_id
