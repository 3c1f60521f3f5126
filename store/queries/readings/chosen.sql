-- Stored readings of a patient, the oldest first: those with one of the `keys`, or all, of one
-- device or of any, measured from `since` to `until`, both included; at most `limit`.
-- Parameters: patient, keys (null: any), device (null: any), since, until (null: open), limit.
-- Uses: readings, by primary key.
SELECT time, reading_key, reading_id, device_id, received_at, activity, contact, posture,
       possible('steps_per_min', steps_per_min) AS steps_per_min,
       possible('heart_rate', heart_rate) AS heart_rate, possible('systolic', systolic) AS systolic,
       possible('diastolic', diastolic) AS diastolic, possible('spo2', spo2) AS spo2,
       possible('respiratory_rate', respiratory_rate) AS respiratory_rate,
       possible('temperature', temperature) AS temperature
FROM readings
WHERE patient_id = %(patient)s AND believable(time)
  AND time >= coalesce(%(since)s::timestamptz, timestamptz '2000-01-01 00:00:00Z')
  AND time <= coalesce(%(until)s::timestamptz, timestamptz '2200-01-01 00:00:00Z')
  AND (%(keys)s::bigint[] IS NULL OR reading_key = ANY(%(keys)s))
  AND (%(device)s::text IS NULL OR device_id = %(device)s)
ORDER BY time, reading_key
LIMIT %(limit)s
