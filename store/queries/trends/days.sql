-- A patient's days (UTC), oldest first: those from the one containing `start` until before `end`,
-- with percentiles.
-- Parameters: patient, start, end, width (of a bucket: a day), origin.
-- Uses: readings_1d: by patient and bucket on TimescaleDB, readings' primary key elsewhere.
SELECT bucket,
       heart_rate_avg, heart_rate_min, heart_rate_max,
       heart_rate_p10, heart_rate_p50, heart_rate_p90,
       systolic_avg, systolic_min, systolic_max,
       systolic_p10, systolic_p50, systolic_p90,
       diastolic_avg, diastolic_min, diastolic_max,
       diastolic_p10, diastolic_p50, diastolic_p90,
       spo2_avg, spo2_min, spo2_max,
       spo2_p10, spo2_p50, spo2_p90,
       respiratory_rate_avg, respiratory_rate_min, respiratory_rate_max,
       respiratory_rate_p10, respiratory_rate_p50, respiratory_rate_p90,
       temperature_avg, temperature_min, temperature_max,
       temperature_p10, temperature_p50, temperature_p90
FROM readings_1d_of(%(patient)s, date_bin(%(width)s, %(start)s, %(origin)s), %(end)s)
ORDER BY bucket
