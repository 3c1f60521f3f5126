-- Of a ward or all enrolled patients: for each one, whether anything was measured after `start`, up
-- to `end` (1 or 0).
-- Parameters: ward (empty: any), start, end.
-- Uses: patients, read whole; readings by primary key, one row of each patient.
SELECT p.patient_id, (newest.time IS NOT NULL)::int AS readings, NULL::timestamptz AS newest,
       NULL::float AS lowest, NULL::float AS highest
FROM patients p
LEFT JOIN LATERAL (
    SELECT r.time FROM readings r
    WHERE r.patient_id = p.patient_id AND r.time > %(start)s AND r.time <= %(end)s
    LIMIT 1                               -- by index for each patient
) newest ON true
WHERE (%(ward)s::text = '' OR p.ward = %(ward)s) AND p.active
