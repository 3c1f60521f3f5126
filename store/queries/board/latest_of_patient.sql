-- The newest value of each signal of one patient.
-- Parameters: patient.
-- Uses: latest, by primary key.
SELECT patient_id, signal, value, time, received_at
FROM latest
WHERE patient_id = %(patient)s AND possible(signal, value) IS NOT NULL AND believable(time)
