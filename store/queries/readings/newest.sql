-- A patient's newest readings, withdrawn ones among them, the newest first: with who withdrew them,
-- when and why.
-- Parameters: patient, device (null: any), since, until (null: open), limit.
-- Uses: readings and withdrawn_readings, by primary key; withdrawals, by primary key.
SELECT r.time, r.reading_key, r.reading_id, r.device_id, r.received_at,
       possible('heart_rate', r.heart_rate) AS heart_rate,
       possible('systolic', r.systolic) AS systolic,
       possible('diastolic', r.diastolic) AS diastolic, possible('spo2', r.spo2) AS spo2,
       possible('respiratory_rate', r.respiratory_rate) AS respiratory_rate,
       possible('temperature', r.temperature) AS temperature,
       w.reason, w.actor, w.time AS withdrawn_at, w.comment
FROM (
    (SELECT time, reading_key, reading_id, device_id, received_at, heart_rate, systolic, diastolic,
            spo2, respiratory_rate, temperature, NULL::text AS withdrawal_id
     FROM readings
     WHERE patient_id = %(patient)s AND believable(time)
       AND time >= coalesce(%(since)s::timestamptz, timestamptz '2000-01-01 00:00:00Z')
       AND time <= coalesce(%(until)s::timestamptz, timestamptz '2200-01-01 00:00:00Z')
       AND (%(device)s::text IS NULL OR device_id = %(device)s)
     ORDER BY time DESC, reading_key LIMIT %(limit)s)
    UNION ALL
    (SELECT time, reading_key, reading_id, device_id, received_at, heart_rate, systolic, diastolic,
            spo2, respiratory_rate, temperature, withdrawal_id
     FROM withdrawn_readings
     WHERE patient_id = %(patient)s AND believable(time)
       AND time >= coalesce(%(since)s::timestamptz, timestamptz '2000-01-01 00:00:00Z')
       AND time <= coalesce(%(until)s::timestamptz, timestamptz '2200-01-01 00:00:00Z')
       AND (%(device)s::text IS NULL OR device_id = %(device)s)
     ORDER BY time DESC, reading_key LIMIT %(limit)s)
) r
LEFT JOIN withdrawals w USING (withdrawal_id)
ORDER BY r.time DESC, r.reading_key
LIMIT %(limit)s
