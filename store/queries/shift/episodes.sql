-- The episodes that go on, or were told or ended after `start`, of a patient, a ward or everyone
-- enrolled: each as it stands, when its first step was told, and whether it is acknowledged.
-- Parameters: patient, ward (empty asks for any), start.
-- Lives on: episodes_active, episodes_by_told and episodes_by_end, then primary keys. Each OFFSET 0
-- asks for the index once a row, however many rows the planner expects.
WITH told AS MATERIALIZED (
    SELECT event_id, patient_id FROM episodes WHERE phase <> 'closed'
    UNION
    SELECT event_id, patient_id FROM episodes WHERE detected_at > %(start)s
    UNION
    SELECT event_id, patient_id FROM episodes WHERE ended_at > %(start)s
)
SELECT v.event_id, v.patient_id, v.kind, v.category, v.phase, v.sequence, v.priority, v.onset,
       v.detected_at, v.ended_at, v.retrospective, v.signals, v.evidence, v.context,
       v.detector_version, v.config_hash, v.synthetic,
       s.acknowledged_at IS NOT NULL AS acknowledged, first.detected_at AS raised_at
FROM told
JOIN patients p USING (patient_id)
CROSS JOIN LATERAL (
    SELECT e.sequence, e.acknowledged_at FROM episode_state e
    WHERE e.event_id = told.event_id
    OFFSET 0
) s
CROSS JOIN LATERAL (
    SELECT * FROM events f WHERE f.event_id = told.event_id AND f.sequence = s.sequence
    OFFSET 0
) v
CROSS JOIN LATERAL (
    SELECT f.detected_at FROM events f WHERE f.event_id = told.event_id ORDER BY f.sequence LIMIT 1
) first
WHERE (%(patient)s::text = '' OR p.patient_id = %(patient)s)
  AND (%(ward)s::text = '' OR p.ward = %(ward)s)
  AND (p.active OR %(patient)s::text <> '')
