-- The mean heart rate of each slice of every patient's newest hours, up to their newest one.
-- Parameters: span (interval), points (slices), width (seconds of a slice).
-- Lives on: latest, read whole, then readings by primary key: at most a span of each patient.
SELECT l.patient_id, s.slice, s.value
FROM latest l
CROSS JOIN LATERAL (
    SELECT avg(r.heart_rate) AS value,
           least(
               floor(extract(epoch FROM r.time - l.time + %(span)s) / %(width)s)::int, %(points)s - 1
           ) AS slice
    FROM readings r
    WHERE r.patient_id = l.patient_id AND r.time > l.time - %(span)s
      AND r.time <= l.time AND r.heart_rate IS NOT NULL
    GROUP BY 2
) s
WHERE l.signal = 'heart_rate'
ORDER BY 1, 2
