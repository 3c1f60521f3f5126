-- A patient's episodes that are open or ended after `since`: open first, then the newest.
-- Parameters: patient, since, limit.
-- Uses: episodes_by_patient, then episode_state by primary keys.
SELECT e.event_id AS episode_id, e.patient_id, e.kind, e.category, e.phase, e.priority, e.onset,
       e.detected_at, e.ended_at, e.retrospective, e.synthetic, e.texts #> '{care_team,en}' AS text,
       coalesce(nullif(u.display_name, ''), e.acknowledged_by) AS acknowledged_by,
       e.acknowledged_at, e.help_at, e.highest_priority, e.priority_since, e.raised_because,
       e.raised_time, e.duration_observed, e.history, e.time_uncertain,
       coalesce(nullif(l.display_name, ''), e.lifted_by) AS lifted_by, e.lifted_at,
       e.unobserved_end,
       coalesce(first.judged_again, false) AS judged_again,
       coalesce(last.withdrawn, false) AS withdrawn
FROM episode_state e
LEFT JOIN LATERAL (
    SELECT f.evidence ? 'withdrawal' AS judged_again FROM events f
    WHERE f.event_id = e.event_id AND f.sequence = 0
    OFFSET 0
) first ON true
LEFT JOIN LATERAL (
    SELECT a.withdrawn <> '' AS withdrawn FROM alerts a
    WHERE e.phase = 'closed' AND a.event_id = e.event_id
    ORDER BY a.revision DESC LIMIT 1
) last ON true
LEFT JOIN users u ON u.user_id = e.acknowledged_by
LEFT JOIN users l ON l.user_id = e.lifted_by
WHERE e.patient_id = %(patient)s AND (e.ended_at IS NULL OR e.ended_at > %(since)s)
ORDER BY e.phase = 'closed', e.onset DESC, e.event_id
LIMIT %(limit)s
