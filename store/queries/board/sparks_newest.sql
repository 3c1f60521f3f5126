-- The mean heart rate of some patients' quarters of an hour since a time, from the readings: no
-- average has the newest ones yet.
-- Parameters: patients (array); since and until (not included), the same for all of them.
-- Uses: readings by primary key, or on TimescaleDB by time, which leaves out older chunks.
SELECT patient_id,
       (extract(epoch FROM date_bin(interval '15 minutes', time, timestamptz '2000-01-01 00:00:00Z'))
        / 900)::int AS quarter,
       avg(possible('heart_rate', heart_rate)) AS value
FROM readings
WHERE patient_id = ANY(%(patients)s) AND time >= %(since)s AND time < %(until)s
GROUP BY 1, 2
HAVING avg(possible('heart_rate', heart_rate)) IS NOT NULL
