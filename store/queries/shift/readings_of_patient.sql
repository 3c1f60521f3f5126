-- How many readings a patient has after `start`, up to `end`, the newest time, and the lowest and
-- highest heart rate.
-- Parameters: patient, start, end.
-- Uses: readings, by primary key.
SELECT %(patient)s::text AS patient_id, count(*)::int AS readings, max(time) AS newest,
       min(possible('heart_rate', heart_rate)) AS lowest,
       max(possible('heart_rate', heart_rate)) AS highest
FROM readings
WHERE patient_id = %(patient)s AND time > %(start)s AND time <= %(end)s
