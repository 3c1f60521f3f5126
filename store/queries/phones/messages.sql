-- A patient's messages in their newest revision: open episodes first, then the newest. Those that a
-- phone is notified of: clinical, of high or medium priority at some step that was neither
-- retrospective nor history.
-- Parameters: patient, rows (revisions to examine), limit.
-- Uses: alerts_by_patient.
WITH recent AS (
    SELECT alert_id, revision, event_id, phase, time, onset, synthetic, category, retrospective, priority,
           history, texts -> 'patient' AS texts,
           provenance #>> '{patient,entry}' AS entry
    FROM alerts
    WHERE patient_id = %(patient)s
    ORDER BY time DESC
    LIMIT %(rows)s
), notified AS (
    SELECT DISTINCT alert_id
    FROM recent
    WHERE category = 'clinical' AND priority IN ('high', 'medium')
      AND NOT retrospective AND NOT history
), newest AS (
    SELECT DISTINCT ON (alert_id) alert_id, event_id, phase, time, onset, synthetic, texts, entry
    FROM recent
    JOIN notified USING (alert_id)
    ORDER BY alert_id, revision DESC
)
SELECT alert_id, event_id AS episode_id, phase, time, onset, synthetic, texts, entry
FROM newest
ORDER BY phase = 'closed', time DESC, alert_id
LIMIT %(limit)s
