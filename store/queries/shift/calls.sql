-- The calls for help after `start`, up to `end`, of a patient, a ward or all enrolled
-- patients, and whether staff acknowledged each since.
-- Parameters: patient, ward (empty: any), start, end.
-- Uses: actions_help_by_time, actions_by_event.
SELECT a.action_id, a.event_id AS episode_id, a.patient_id, a.time, EXISTS (
    SELECT FROM actions b WHERE b.event_id = a.event_id AND b.verb = 'acknowledge'
      AND b.actor <> 'patient' AND b.time >= a.time
    OFFSET 0                              -- by index for each call
) AS acknowledged
FROM actions a
JOIN patients p USING (patient_id)
WHERE a.verb = 'need_help' AND a.time > %(start)s AND a.time <= %(end)s
  AND (%(patient)s::text = '' OR p.patient_id = %(patient)s)
  AND (%(ward)s::text = '' OR p.ward = %(ward)s)
  AND (p.active OR %(patient)s::text <> '')
