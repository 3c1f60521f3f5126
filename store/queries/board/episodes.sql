-- The episodes on the board: open ones; those that ended unacknowledged at most `latched` before
-- the patient's newest reading (clinical, high or medium at some step); and those with an open call for help.
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
          AND e.category = 'clinical' AND e.highest_priority IN ('high', 'medium')
          AND NOT e.retrospective
        OFFSET 0
    ) c
    UNION
    SELECT event_id FROM help_wanted
)
SELECT s.event_id AS episode_id, s.patient_id, s.kind, s.category, s.phase, s.priority, s.onset,
       s.detected_at, s.ended_at, s.retrospective, s.synthetic, s.text,
       coalesce(nullif(u.display_name, ''), s.acknowledged_by) AS acknowledged_by,
       s.acknowledged_at, s.help_at, s.highest_priority, s.priority_since, s.raised_because,
       s.raised_time, s.duration_observed, s.history, s.time_uncertain,
       coalesce(nullif(l.display_name, ''), s.lifted_by) AS lifted_by, s.lifted_at,
       s.unobserved_end,
       coalesce(first.judged_again, false) AS judged_again,
       coalesce(last.withdrawn, false) AS withdrawn
FROM shown
CROSS JOIN LATERAL (
    SELECT e.event_id, e.patient_id, e.kind, e.category, e.phase, e.priority, e.onset,
           e.detected_at, e.ended_at, e.retrospective, e.synthetic,
           e.texts #> '{care_team,en}' AS text, e.help_at, e.acknowledged_at, e.acknowledged_by,
           e.highest_priority, e.priority_since, e.raised_because, e.raised_time,
           e.duration_observed, e.history, e.time_uncertain, e.lifted_by, e.lifted_at,
           e.unobserved_end
    FROM episode_state e
    WHERE e.event_id = shown.event_id
    OFFSET 0
) s
LEFT JOIN LATERAL (
    SELECT f.evidence ? 'withdrawal' AS judged_again FROM events f
    WHERE s.retrospective AND f.event_id = s.event_id AND f.sequence = 0
    OFFSET 0
) first ON true
LEFT JOIN LATERAL (
    SELECT a.withdrawn <> '' AS withdrawn FROM alerts a
    WHERE s.phase = 'closed' AND a.event_id = s.event_id
    ORDER BY a.revision DESC LIMIT 1
) last ON true
LEFT JOIN users u ON u.user_id = s.acknowledged_by
LEFT JOIN users l ON l.user_id = s.lifted_by
WHERE s.phase <> 'closed' OR s.acknowledged_at IS NULL
