-- Every process with a status since a time, by service, the newest status first.
-- Parameters: since.
-- Uses: service_status_by_time (one row a process, kept for a week).
SELECT service, version, started, time, trouble, counters, gauges
FROM service_status
WHERE time > %(since)s
ORDER BY service, time DESC
