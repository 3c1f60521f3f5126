-- The mean heart rate of some patients' quarters of an hour, of each from its start until before
-- its end.
-- Parameters: patients, starts and ends, arrays of one length; times are beginnings of quarters.
-- Uses: readings_15m by patient and bucket on TimescaleDB, elsewhere readings by primary key.
SELECT asked.patient_id, (extract(epoch FROM b.bucket) / 900)::int AS quarter,
       b.heart_rate_avg AS value
FROM unnest(%(patients)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS asked (patient_id, since, until)
CROSS JOIN LATERAL (
    SELECT bucket, heart_rate_avg
    FROM readings_15m_of(asked.patient_id, asked.since, asked.until)
    OFFSET 0                              -- by index for each patient
) b
WHERE b.heart_rate_avg IS NOT NULL
