-- A patient's replies to events, and the staff's acknowledgements; oldest first.
-- Parameters: patient, ids (of events).
-- Uses: actions_by_event.
SELECT action_id, event_id AS episode_id, verb, time
FROM actions
WHERE patient_id = %(patient)s AND event_id = ANY(%(ids)s)
  AND ((actor = 'patient' AND verb IN ('ok', 'need_help'))
       OR (actor <> 'patient' AND verb = 'acknowledge'))
ORDER BY time
