-- The newest value of each signal of everyone, where it can be true.
-- Lives on: latest, read whole (one row a patient and signal).
SELECT patient_id, signal, value, time, received_at
FROM latest
WHERE possible(signal, value) IS NOT NULL AND believable(time)
