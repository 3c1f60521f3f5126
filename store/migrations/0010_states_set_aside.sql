-- Patients idle for long leave a detector's memory and come back when they are heard of: whoever
-- takes over a partition loads only the others.
ALTER TABLE detector_states ADD COLUMN idle boolean NOT NULL DEFAULT false;
CREATE INDEX detector_states_in_memory ON detector_states (worker_group, partition)
    WHERE NOT idle;

-- States that could not be read, byte for byte: the patient's baseline is learnt anew, and what was
-- there is not lost. The same bytes set aside twice are one row.
CREATE TABLE states_set_aside (
    worker_group text NOT NULL,
    partition    integer NOT NULL,
    patient_id   text NOT NULL,
    state        bytea NOT NULL,
    why          text NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT now(),
    digest       text NOT NULL GENERATED ALWAYS AS (encode(sha256(state), 'hex')) STORED,
    PRIMARY KEY (worker_group, partition, patient_id, digest)
);
