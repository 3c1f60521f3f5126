-- Every process that was heard of since a moment, by service, the newest word first.
-- Parameters: since.
-- Lives on: service_status_by_time (one row a process, kept for a week).
SELECT service, version, started, time, trouble, counters, gauges
FROM service_status
WHERE time > %(since)s
ORDER BY service, time DESC
