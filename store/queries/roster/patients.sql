-- Every patient ever enrolled, by ward and name, and when their last reading was received.
-- Uses: patients, read whole; latest by primary key; phones_by_patient.
SELECT p.patient_id, p.display_name, p.ward, p.active, p.synthetic,
       (SELECT max(l.received_at) FROM latest l WHERE l.patient_id = p.patient_id) AS received_at,
       (SELECT count(*) FROM phones f WHERE f.patient_id = p.patient_id AND f.revoked_at IS NULL)
           AS phones
FROM patients p
ORDER BY p.active DESC, p.ward, p.display_name, p.patient_id
