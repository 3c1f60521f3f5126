-- The alarms that each ward's patients had in the last days up to their own newest reading: clinical
-- episodes that began then and were not retrospective, by the highest that they had, and the days with
-- a reading among them (patient-days).
-- Parameters: days (whole).
-- Uses: patients and latest, read whole; episodes_by_patient; readings by primary key, one row
-- of each patient and day.
SELECT p.ward, count(*)::int AS patients, coalesce(sum(worn.days), 0)::int AS patient_days,
       coalesce(sum(alarms.high), 0)::int AS high, coalesce(sum(alarms.medium), 0)::int AS medium,
       coalesce(sum(alarms.low), 0)::int AS low
FROM patients p
LEFT JOIN (
    SELECT patient_id, max(time) AS newest FROM latest GROUP BY patient_id
) l USING (patient_id)
LEFT JOIN LATERAL (
    SELECT count(*) AS days
    FROM generate_series(1, %(days)s::int) AS day (number)
    CROSS JOIN LATERAL (
        SELECT FROM readings r
        WHERE r.patient_id = l.patient_id
          AND r.time > l.newest - day.number * interval '1 day'
          AND r.time <= l.newest - (day.number - 1) * interval '1 day'
        LIMIT 1                           -- by index for each day
    ) any_reading
) worn ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.highest_priority = 'high') AS high,
           count(*) FILTER (WHERE e.highest_priority = 'medium') AS medium,
           count(*) FILTER (WHERE e.highest_priority = 'low') AS low
    FROM episodes e
    WHERE e.patient_id = l.patient_id AND e.onset > l.newest - %(days)s::int * interval '1 day'
      AND e.category = 'clinical' AND NOT e.retrospective
) alarms ON true
WHERE p.active
GROUP BY p.ward
ORDER BY p.ward
