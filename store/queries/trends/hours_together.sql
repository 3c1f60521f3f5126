-- A patient's buckets of several hours, oldest first: from the one containing `start` until before
-- `end`. Percentiles cannot be combined, so there are none.
-- Parameters: patient, start, end, width (of a bucket: whole hours), origin (that they are aligned to).
-- Uses: readings_1h: by patient and bucket on TimescaleDB, readings' primary key elsewhere.
SELECT date_bin(%(width)s, bucket, %(origin)s) AS bucket,
       sum(heart_rate_avg * heart_rate_count) / nullif(sum(heart_rate_count), 0) AS heart_rate_avg,
       min(heart_rate_min) AS heart_rate_min, max(heart_rate_max) AS heart_rate_max,
       sum(systolic_avg * systolic_count) / nullif(sum(systolic_count), 0) AS systolic_avg,
       min(systolic_min) AS systolic_min, max(systolic_max) AS systolic_max,
       sum(diastolic_avg * diastolic_count) / nullif(sum(diastolic_count), 0) AS diastolic_avg,
       min(diastolic_min) AS diastolic_min, max(diastolic_max) AS diastolic_max,
       sum(spo2_avg * spo2_count) / nullif(sum(spo2_count), 0) AS spo2_avg,
       min(spo2_min) AS spo2_min, max(spo2_max) AS spo2_max,
       sum(respiratory_rate_avg * respiratory_rate_count) / nullif(sum(respiratory_rate_count), 0) AS respiratory_rate_avg,
       min(respiratory_rate_min) AS respiratory_rate_min, max(respiratory_rate_max) AS respiratory_rate_max,
       sum(temperature_avg * temperature_count) / nullif(sum(temperature_count), 0) AS temperature_avg,
       min(temperature_min) AS temperature_min, max(temperature_max) AS temperature_max
FROM readings_1h_of(%(patient)s, date_bin(%(width)s, %(start)s, %(origin)s), %(end)s)
GROUP BY 1
ORDER BY 1
