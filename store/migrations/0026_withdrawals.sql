-- Readings that do not count: measured of another patient, by a wrong cuff, or never. They leave
-- `readings`, and with it every average, sparkline, export and replay, and are kept here with who
-- withdrew them, when and why. In FHIR's terms their status is `entered-in-error`.

CREATE TABLE withdrawals (
    withdrawal_id text PRIMARY KEY,
    patient_id    text NOT NULL,
    reason        text NOT NULL,
    actor         text NOT NULL,
    time          timestamptz NOT NULL,
    comment       text NOT NULL DEFAULT '',
    readings      integer NOT NULL                  -- how many it names
);
CREATE INDEX withdrawals_by_patient ON withdrawals (patient_id, time DESC);

-- A reading as it was stored. One that was not stored yet has its key, time and id alone, and is
-- not stored any more.
CREATE TABLE withdrawn_readings (
    patient_id       text NOT NULL,
    time             timestamptz NOT NULL,
    reading_key      bigint NOT NULL,
    withdrawal_id    text NOT NULL REFERENCES withdrawals,
    device_id        text,
    received_at      timestamptz,
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
    reading_id       text,                          -- null: the key tells it
    PRIMARY KEY (patient_id, time, reading_key)
);
CREATE INDEX withdrawn_readings_by_withdrawal ON withdrawn_readings (withdrawal_id);

-- Who was paged about what rested on them is informed, and why they were withdrawn.
ALTER TABLE alerts ADD COLUMN withdrawn text NOT NULL DEFAULT '';
ALTER TABLE deliveries DROP CONSTRAINT deliveries_reason_check;
ALTER TABLE deliveries
    ADD CONSTRAINT deliveries_reason_check CHECK (
        reason IN ('opened', 'raised', 'worse', 'continues', 'withdrawn', 'need_help', 'escalated')
    ),
    ADD COLUMN because text NOT NULL DEFAULT '';
