-- The episodes on the board: open ones; those that ended unacknowledged at most `latched` before
-- the patient's newest reading (clinical, high or medium); and those with an open call for help.
-- Parameters: latched (interval).
-- Uses: episodes_active, episodes_ended and help_wanted, then episode_state by primary keys.
-- Each OFFSET 0 makes an index look-up per row, however many rows the planner expects.
WITH shown AS MATERIALIZED (
    SELECT event_id FROM episodes WHERE phase <> 'closed'
    UNION
    SELECT c.event_id
    FROM (SELECT patient_id, max(time) AS newest FROM latest GROUP BY patient_id) l
    CROSS JOIN LATERAL (
        SELECT e.event_id FROM episodes e
        WHERE e.patient_id = l.patient_id AND e.phase = 'closed'
          AND e.ended_at > l.newest - %(latched)s
          AND e.category = 'clinical' AND e.priority IN ('high', 'medium')
          AND NOT e.retrospective
        OFFSET 0
    ) c
    UNION
    SELECT event_id FROM help_wanted
)
SELECT s.event_id AS episode_id, s.patient_id, s.kind, s.category, s.phase, s.priority, s.onset,
       s.detected_at, s.ended_at, s.retrospective, s.synthetic, s.text,
       coalesce(nullif(u.display_name, ''), s.acknowledged_by) AS acknowledged_by,
       s.acknowledged_at, s.help_at
FROM shown
CROSS JOIN LATERAL (
    SELECT e.event_id, e.patient_id, e.kind, e.category, e.phase, e.priority, e.onset,
           e.detected_at, e.ended_at, e.retrospective, e.synthetic,
           e.texts #> '{care_team,en}' AS text, e.help_at, e.acknowledged_at, e.acknowledged_by
    FROM episode_state e
    WHERE e.event_id = shown.event_id
    OFFSET 0
) s
LEFT JOIN users u ON u.user_id = s.acknowledged_by
WHERE s.phase <> 'closed' OR s.acknowledged_at IS NULL
