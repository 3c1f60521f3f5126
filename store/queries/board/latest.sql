-- The newest possible value of each signal of every patient.
-- Uses: latest, read whole (one row a patient and signal).
SELECT patient_id, signal, value, time, received_at
FROM latest
WHERE possible(signal, value) IS NOT NULL AND believable(time)
