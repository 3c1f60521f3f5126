-- The log of deliveries, newest first: recipient, state, times and receipt.
-- Parameters: limit.
-- Uses: deliveries_newest.
SELECT delivery_id, event_id AS episode_id, patient_id, channel, recipient, priority, kind, reason,
       state, attempts, detail, made_at, finished_at, shown_at
FROM deliveries
ORDER BY created_at DESC
LIMIT %(limit)s
