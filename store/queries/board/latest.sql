-- The newest value of each signal of everyone.
-- Lives on: latest, read whole (one row a patient and signal).
SELECT patient_id, signal, value, time, received_at
FROM latest
