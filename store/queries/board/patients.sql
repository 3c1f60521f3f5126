-- Every patient who is enrolled now, by id.
-- Uses: patients, read whole (one row a patient).
SELECT patient_id, display_name, ward, locale, active, synthetic
FROM patients
WHERE active
ORDER BY patient_id
