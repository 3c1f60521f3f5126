-- Everything that the pipeline stores. Identifiers come from content (vigil/domain/ids.py), and every
-- table has the key on which a repeated write lands on itself.

CREATE TABLE patients (
    patient_id   text PRIMARY KEY,
    display_name text NOT NULL DEFAULT '',
    ward         text NOT NULL,
    locale       text NOT NULL DEFAULT 'en',
    active       boolean NOT NULL DEFAULT true,
    synthetic    boolean NOT NULL DEFAULT false,
    changed_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE devices (
    device_id    text PRIMARY KEY,
    label        text NOT NULL DEFAULT '',
    key_sha256   text NOT NULL UNIQUE,
    patient_id   text REFERENCES patients,          -- null: a hub, for any enrolled patient
    active       boolean NOT NULL DEFAULT true,
    changed_at   timestamptz NOT NULL DEFAULT now()
);

-- One row a reading. Wide, because a device measures several signals at once and the columnstore
-- packs wide rows best. No foreign key: a reading is never refused for what else is known.
CREATE TABLE readings (
    patient_id       text NOT NULL,
    time             timestamptz NOT NULL,
    reading_id       text NOT NULL,
    device_id        text NOT NULL,
    received_at      timestamptz NOT NULL,
    heart_rate       double precision,
    systolic         double precision,
    diastolic        double precision,
    spo2             double precision,
    respiratory_rate double precision,
    temperature      double precision,
    steps_per_min    double precision,
    activity         text NOT NULL DEFAULT 'unknown',
    contact          boolean,
    posture          text,
    synthetic        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (patient_id, time, reading_id)
);

-- The newest value of each signal of each patient, kept by upsert, for the ward board.
CREATE TABLE latest (
    patient_id  text NOT NULL,
    signal      text NOT NULL,
    value       double precision NOT NULL,
    time        timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (patient_id, signal)
);

-- Every step of every episode, as it was on the topic …
CREATE TABLE events (
    event_id         text NOT NULL,
    sequence         integer NOT NULL,
    patient_id       text NOT NULL,
    kind             text NOT NULL,
    category         text NOT NULL,
    phase            text NOT NULL,
    priority         text NOT NULL,
    onset            timestamptz NOT NULL,
    detected_at      timestamptz NOT NULL,
    ended_at         timestamptz,
    retrospective    boolean NOT NULL,
    signals          text[] NOT NULL,
    evidence         jsonb NOT NULL,
    context          jsonb NOT NULL,
    detector_version text NOT NULL,
    config_hash      text NOT NULL,
    synthetic        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (event_id, sequence)
);
CREATE INDEX events_by_patient ON events (patient_id, onset DESC);

-- … and every revision of its words.
CREATE TABLE alerts (
    alert_id      text NOT NULL,
    revision      integer NOT NULL,
    event_id      text NOT NULL,
    patient_id    text NOT NULL,
    sequence      integer NOT NULL,
    kind          text NOT NULL,
    category      text NOT NULL,
    phase         text NOT NULL,
    priority      text NOT NULL,
    retrospective boolean NOT NULL,
    time          timestamptz NOT NULL,
    onset         timestamptz NOT NULL,
    texts         jsonb NOT NULL,
    slots         jsonb NOT NULL,
    provenance    jsonb NOT NULL,
    synthetic     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (alert_id, revision)
);
CREATE INDEX alerts_by_event ON alerts (event_id, revision DESC);
CREATE INDEX alerts_by_patient ON alerts (patient_id, time DESC);

CREATE TABLE actions (
    action_id  text PRIMARY KEY,
    event_id   text NOT NULL,
    patient_id text NOT NULL,
    actor      text NOT NULL,
    verb       text NOT NULL,
    time       timestamptz NOT NULL,
    comment    text NOT NULL DEFAULT '',
    until      timestamptz
);
CREATE INDEX actions_by_event ON actions (event_id, time);

-- Detectors' state lives with the offset that it belongs to; `epoch` fences a stale owner.
CREATE TABLE checkpoints (
    worker_group text NOT NULL,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    next_offset  bigint NOT NULL,
    log_id       text NOT NULL DEFAULT '',          -- which log the offset counts in
    epoch        bigint NOT NULL,
    watermark    timestamptz,                       -- receive time up to which silence was judged
    saved_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (worker_group, topic, partition)
);

CREATE TABLE detector_states (
    worker_group text NOT NULL,
    partition    integer NOT NULL,
    patient_id   text NOT NULL,
    state        bytea NOT NULL,
    PRIMARY KEY (worker_group, partition, patient_id)
);
