-- How each worker was doing when it last said so, from vitals.status: one row a process, for as
-- long as anyone may ask what became of it.
CREATE TABLE service_status (
    instance text PRIMARY KEY,
    service  text NOT NULL,
    version  text NOT NULL,
    started  timestamptz NOT NULL,
    time     timestamptz NOT NULL,
    trouble  jsonb NOT NULL,
    counters jsonb NOT NULL,
    gauges   jsonb NOT NULL
);
CREATE INDEX service_status_by_time ON service_status (time DESC);
