-- A patient's episodes that overlap a stretch, the newest first, with the evidence of their last
-- step: open ones, and those whose end became known in it or later.
-- Parameters: patient, first, last, limit.
-- Uses: episodes by patient and onset; events by primary key.
SELECT e.event_id AS episode_id, e.kind, e.sequence, e.onset, e.ended_at, e.priority,
       e.retrospective, s.signals, s.evidence, e.synthetic
FROM episodes e
JOIN events s ON s.event_id = e.event_id AND s.sequence = e.sequence
WHERE e.patient_id = %(patient)s AND e.onset <= %(last)s
  AND (e.ended_at IS NULL OR greatest(e.ended_at, e.detected_at) >= %(first)s)
ORDER BY e.onset DESC
LIMIT %(limit)s
