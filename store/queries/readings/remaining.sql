-- A patient's newest readings of some signals without those of the `keys`, the newest first, measured
-- from `since` to `until`, both included; at most `limit`.
-- Parameters: patient, signals, keys, since, until (null: open), limit.
-- Uses: readings, by primary key.
SELECT time, reading_key, reading_id, device_id, received_at, activity, contact, posture,
       possible('steps_per_min', steps_per_min) AS steps_per_min,
       possible('heart_rate', heart_rate) AS heart_rate, possible('systolic', systolic) AS systolic,
       possible('diastolic', diastolic) AS diastolic, possible('spo2', spo2) AS spo2,
       possible('respiratory_rate', respiratory_rate) AS respiratory_rate,
       possible('temperature', temperature) AS temperature
FROM readings
WHERE patient_id = %(patient)s AND believable(time) AND time >= %(since)s
  AND time <= coalesce(%(until)s::timestamptz, timestamptz '2200-01-01 00:00:00Z')
  AND reading_key <> ALL(%(keys)s::bigint[])
  AND ('heart_rate' = ANY(%(signals)s) AND heart_rate IS NOT NULL
       OR 'systolic' = ANY(%(signals)s) AND systolic IS NOT NULL
       OR 'diastolic' = ANY(%(signals)s) AND diastolic IS NOT NULL
       OR 'spo2' = ANY(%(signals)s) AND spo2 IS NOT NULL
       OR 'respiratory_rate' = ANY(%(signals)s) AND respiratory_rate IS NOT NULL
       OR 'temperature' = ANY(%(signals)s) AND temperature IS NOT NULL)
ORDER BY time DESC, reading_key DESC
LIMIT %(limit)s
