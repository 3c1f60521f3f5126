-- What a patient replied to events, and when staff acknowledged them; oldest first.
-- Parameters: patient, ids (of events).
-- Lives on: actions_by_event.
SELECT action_id, event_id, verb, time
FROM actions
WHERE patient_id = %(patient)s AND event_id = ANY(%(ids)s)
  AND ((actor = 'patient' AND verb IN ('ok', 'need_help'))
       OR (actor <> 'patient' AND verb = 'acknowledge'))
ORDER BY time
