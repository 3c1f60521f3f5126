-- Every device, active ones first, and when it last sent (within 30 days; never for a hub).
-- Uses: devices, read whole; readings by primary key.
SELECT d.device_id, d.label, d.patient_id, d.active, r.received_at, d.clock_correction_seconds
FROM devices d
LEFT JOIN LATERAL (
    SELECT received_at FROM readings r
    WHERE r.patient_id = d.patient_id AND r.device_id = d.device_id
      AND r.time > now() - interval '30 days'
    ORDER BY r.time DESC LIMIT 1
) r ON true
ORDER BY d.active DESC, d.device_id
