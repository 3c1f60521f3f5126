-- The mean heart rate of every patient's newest quarters of an hour: slice `points` - 1
-- contains their newest heart rate.
-- Parameters: points.
-- Uses: latest, read whole; readings_15m by patient and bucket on TimescaleDB, elsewhere
-- readings by primary key, `points` quarters of an hour of each patient.
SELECT l.patient_id,
       (%(points)s::int - 1 - extract(epoch FROM newest.bucket - b.bucket) / 900)::int AS slice,
       b.heart_rate_avg AS value
FROM latest l
CROSS JOIN LATERAL (
    SELECT date_bin(interval '15 minutes', l.time, timestamptz '2000-01-01 00:00:00Z')
) AS newest (bucket)
CROSS JOIN LATERAL (
    SELECT bucket, heart_rate_avg
    FROM readings_15m_of(
        l.patient_id,
        newest.bucket - (%(points)s::int - 1) * interval '15 minutes',
        newest.bucket + interval '15 minutes'
    )
    OFFSET 0                              -- by index for each patient
) b
WHERE l.signal = 'heart_rate' AND believable(l.time) AND b.heart_rate_avg IS NOT NULL
