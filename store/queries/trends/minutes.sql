-- A patient's minutes, oldest first: those from the one containing `start` until before `end`.
-- Parameters: patient, start, end, width (of a bucket: a minute), origin.
-- Uses: readings_1m: by patient and bucket on TimescaleDB, readings' primary key elsewhere.
SELECT bucket,
       heart_rate_avg, heart_rate_min, heart_rate_max,
       systolic_avg, systolic_min, systolic_max,
       diastolic_avg, diastolic_min, diastolic_max,
       spo2_avg, spo2_min, spo2_max,
       respiratory_rate_avg, respiratory_rate_min, respiratory_rate_max,
       temperature_avg, temperature_min, temperature_max
FROM readings_1m_of(%(patient)s, date_bin(%(width)s, %(start)s, %(origin)s), %(end)s)
ORDER BY bucket
