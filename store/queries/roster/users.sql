-- Every user, disabled ones too, and when they were last seen.
-- Uses: users and sessions, read whole (expired sessions are deleted).
SELECT u.user_id, u.display_name, u.role, u.active,
       (SELECT max(last_seen_at) FROM sessions s WHERE s.user_id = u.user_id) AS last_seen_at
FROM users u
ORDER BY u.active DESC, u.user_id
