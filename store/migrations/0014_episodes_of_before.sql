-- Episodes of the events that were stored before 0005 made the table: its trigger sees only new
-- steps. When they were stored is not known, so what people did after detection counts.
INSERT INTO episodes (
    event_id, patient_id, kind, category, sequence, phase, priority, onset, detected_at,
    ended_at, retrospective, synthetic, opened_at, raised_at, changed_at
)
SELECT DISTINCT ON (event_id)
    event_id, patient_id, kind, category, sequence, phase, priority, onset, detected_at,
    ended_at, retrospective, synthetic, detected_at, detected_at, detected_at
FROM events
ORDER BY event_id, sequence DESC
ON CONFLICT DO NOTHING;
