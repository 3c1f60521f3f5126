-- The step that an episode's newest text announces, and whether its current state is acknowledged.
-- Parameters: patient, episode.
-- Uses: episodes and events by primary key, alerts_by_event.
SELECT v.event_id, v.patient_id, v.kind, v.category, v.phase, v.sequence, v.priority, v.onset,
       v.detected_at, v.ended_at, v.retrospective, v.signals, v.evidence, v.context,
       v.detector_version, v.config_hash, v.synthetic, s.acknowledged_at
FROM episode_state s
JOIN LATERAL (
    SELECT sequence FROM alerts WHERE event_id = s.event_id ORDER BY revision DESC LIMIT 1
) words ON true
JOIN events v ON v.event_id = s.event_id AND v.sequence = words.sequence
WHERE s.event_id = %(episode)s AND s.patient_id = %(patient)s
