-- The episodes that are open, wait for an acknowledgement (`waiting`), or were announced or ended after
-- `start`, of a patient, a ward or all enrolled patients: current state, time of the first step, whether it is acknowledged, whether it is
-- history, and its highest priority.
-- Parameters: patient, ward (empty: any), start, waiting (ids).
-- Uses: the primary key, episodes_active, episodes_by_told and episodes_by_end, then primary keys. Each OFFSET 0
-- makes an index look-up per row, however many rows the planner expects.
WITH announced AS MATERIALIZED (
    SELECT event_id, patient_id FROM episodes WHERE phase <> 'closed'
    UNION
    SELECT event_id, patient_id FROM episodes WHERE detected_at > %(start)s
    UNION
    SELECT event_id, patient_id FROM episodes WHERE ended_at > %(start)s
    UNION
    SELECT event_id, patient_id FROM episodes WHERE event_id = ANY(%(waiting)s)
)
SELECT v.event_id, v.patient_id, v.kind, v.category, v.phase, v.sequence, v.priority, v.onset,
       v.detected_at, v.ended_at, v.retrospective, v.signals, v.evidence, v.context,
       v.detector_version, v.config_hash, v.synthetic,
       s.acknowledged_at IS NOT NULL AS acknowledged, first.detected_at AS raised_at,
       s.history, s.highest_priority
FROM announced
JOIN patients p USING (patient_id)
CROSS JOIN LATERAL (
    SELECT e.sequence, e.acknowledged_at, e.history, e.highest_priority FROM episode_state e
    WHERE e.event_id = announced.event_id
    OFFSET 0
) s
CROSS JOIN LATERAL (
    SELECT * FROM events f WHERE f.event_id = announced.event_id AND f.sequence = s.sequence
    OFFSET 0
) v
CROSS JOIN LATERAL (
    SELECT f.detected_at FROM events f WHERE f.event_id = announced.event_id
    ORDER BY f.sequence LIMIT 1
) first
WHERE (%(patient)s::text = '' OR p.patient_id = %(patient)s)
  AND (%(ward)s::text = '' OR p.ward = %(ward)s)
  AND (p.active OR %(patient)s::text <> '')
