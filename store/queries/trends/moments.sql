-- A patient's readings in buckets of some seconds, oldest first: from the bucket containing `start`
-- until before `end`.
-- Parameters: patient, start, end, width (of a bucket), origin (that buckets are aligned to).
-- Uses: readings, by primary key.
SELECT date_bin(%(width)s, time, %(origin)s) AS bucket,
       avg(heart_rate) AS heart_rate_avg, min(heart_rate) AS heart_rate_min, max(heart_rate) AS heart_rate_max,
       avg(systolic) AS systolic_avg, min(systolic) AS systolic_min, max(systolic) AS systolic_max,
       avg(diastolic) AS diastolic_avg, min(diastolic) AS diastolic_min, max(diastolic) AS diastolic_max,
       avg(spo2) AS spo2_avg, min(spo2) AS spo2_min, max(spo2) AS spo2_max,
       avg(respiratory_rate) AS respiratory_rate_avg, min(respiratory_rate) AS respiratory_rate_min, max(respiratory_rate) AS respiratory_rate_max,
       avg(temperature) AS temperature_avg, min(temperature) AS temperature_min, max(temperature) AS temperature_max
FROM (
    SELECT time, possible('heart_rate', heart_rate) AS heart_rate, possible('systolic', systolic) AS systolic, possible('diastolic', diastolic) AS diastolic,
           possible('spo2', spo2) AS spo2, possible('respiratory_rate', respiratory_rate) AS respiratory_rate, possible('temperature', temperature) AS temperature
    FROM readings
    WHERE patient_id = %(patient)s
      AND time >= date_bin(%(width)s, %(start)s, %(origin)s) AND time < %(end)s
) AS r
GROUP BY 1
ORDER BY 1
