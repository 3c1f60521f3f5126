-- The deliveries about one episode, newest first.
-- Parameters: episode, limit.
-- Uses: deliveries_by_event.
SELECT delivery_id, event_id AS episode_id, patient_id, channel, recipient, priority, kind, reason,
       state, attempts, detail, made_at, finished_at, shown_at
FROM deliveries
WHERE event_id = %(episode)s
ORDER BY created_at DESC
LIMIT %(limit)s
