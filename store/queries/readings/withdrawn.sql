-- Which of some readings of a patient are withdrawn: with who withdrew them, when and why.
-- Parameters: patient, keys, since, until (null: open).
-- Uses: withdrawn_readings and withdrawals, by primary key.
SELECT r.time, r.reading_key, r.reading_id, w.reason, w.actor, w.time AS withdrawn_at
FROM withdrawn_readings r JOIN withdrawals w USING (withdrawal_id)
WHERE r.patient_id = %(patient)s AND r.reading_key = ANY(%(keys)s::bigint[])
  AND r.time >= coalesce(%(since)s::timestamptz, '-infinity')
  AND r.time <= coalesce(%(until)s::timestamptz, 'infinity')
ORDER BY r.time, r.reading_key
LIMIT 100
