-- Where each worker that writes here stands on the topics, as far as its rows are in this database.
-- Kafka's committed offsets tell the same of a database that was not restored from a backup: where
-- they are ahead, rows are missing here, and the worker reads the log again from this place.
CREATE TABLE stream_positions (
    worker_group text NOT NULL,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    log_id       text NOT NULL,                     -- which log the offset counts in
    next_offset  bigint NOT NULL,
    saved_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (worker_group, topic, partition)
);
