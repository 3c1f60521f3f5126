-- The deliveries about one event, newest first.
-- Parameters: event, limit.
-- Uses: deliveries_by_event.
SELECT delivery_id, event_id, patient_id, channel, recipient, priority, kind, reason, state,
       attempts, detail, made_at, finished_at, shown_at
FROM deliveries
WHERE event_id = %(event)s
ORDER BY created_at DESC
LIMIT %(limit)s
