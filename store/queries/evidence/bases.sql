-- The evidence of episodes' newest steps, and the provenance of their newest texts.
-- Parameters: ids (of episodes).
-- Uses: episodes and events by primary key, alerts_by_event.
SELECT v.event_id AS episode_id, v.sequence, v.signals, v.evidence, v.context, v.detector_version,
       v.config_hash, coalesce(e.slots, '{}') AS slots, coalesce(e.provenance -> 'care_team', '{}') AS provenance,
       e.revision
FROM episode_state e
JOIN events v USING (event_id, sequence)
WHERE e.event_id = ANY(%(ids)s)
