-- Whose readings were withdrawn since a time.
-- Parameters: since.
-- Uses: withdrawals, read whole (a person withdraws readings now and then).
SELECT DISTINCT patient_id FROM withdrawals WHERE time >= %(since)s
