-- A patient's episodes that are open or ended after `since`: open first, then the newest.
-- Parameters: patient, since, limit.
-- Uses: episodes_by_patient, then episode_state by primary keys.
SELECT e.event_id AS episode_id, e.patient_id, e.kind, e.category, e.phase, e.priority, e.onset,
       e.detected_at, e.ended_at, e.retrospective, e.synthetic, e.texts #> '{care_team,en}' AS text,
       coalesce(nullif(u.display_name, ''), e.acknowledged_by) AS acknowledged_by,
       e.acknowledged_at, e.help_at
FROM episode_state e
LEFT JOIN users u ON u.user_id = e.acknowledged_by
WHERE e.patient_id = %(patient)s AND (e.ended_at IS NULL OR e.ended_at > %(since)s)
ORDER BY e.phase = 'closed', e.onset DESC, e.event_id
LIMIT %(limit)s
