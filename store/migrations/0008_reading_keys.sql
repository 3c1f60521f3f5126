-- A reading is keyed by a number: the id that Vigil derives is that number (store/readings/keys.py),
-- and text is kept only of an id that is a device's own. Most of a packed row was its id before.
--
-- The table is made anew and the rows are carried over, packed ones too: it takes room for all of
-- them unpacked until TimescaleDB's policy has packed them again. The averages go, and 0009 makes
-- them anew from the rows; so it is refused where they tell of rows that are gone.
DO $migration$
DECLARE
    relation  text;
    oldest    timestamptz;
    gone      boolean;
    averages  text[] := ARRAY['readings_1m', 'readings_15m', 'readings_1h'];
    timescale boolean := to_regclass('timescaledb_information.hypertables') IS NOT NULL;
BEGIN
    IF timescale THEN
        SELECT EXISTS (
            SELECT FROM timescaledb_information.hypertables
            WHERE hypertable_schema = current_schema() AND hypertable_name = 'readings'
        ) INTO timescale;
    END IF;

    IF timescale THEN
        -- First of all, which waits for a job that is at work: dropped under it, a view is not.
        FOREACH relation IN ARRAY averages LOOP
            IF to_regclass(relation) IS NOT NULL THEN
                PERFORM remove_continuous_aggregate_policy(relation::regclass, if_exists => true);
            END IF;
        END LOOP;
        CALL remove_columnstore_policy('readings', if_exists => true);
        IF to_regclass('readings_1h') IS NOT NULL THEN
            SELECT min(time) INTO oldest FROM readings;
            SELECT EXISTS (
                SELECT FROM readings_1h
                WHERE oldest IS NULL OR bucket < time_bucket(INTERVAL '1 hour', oldest)
            ) INTO gone;
            IF gone THEN
                RAISE EXCEPTION 'readings_1h tells of readings that are no longer stored'
                    USING HINT = 'Copy readings_1m, readings_15m and readings_1h to tables of your'
                        ' own, drop the three and then run `vigil migrate` again.';
            END IF;
        END IF;
    END IF;

    CREATE TABLE readings_keyed (
        patient_id       text NOT NULL,
        time             timestamptz NOT NULL,
        reading_key      bigint NOT NULL,
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
        reading_id       text,                      -- null: the key tells it
        CONSTRAINT readings_keyed_pkey PRIMARY KEY (patient_id, time, reading_key)
    );
    IF timescale THEN
        PERFORM create_hypertable('readings_keyed', by_range('time', INTERVAL '7 days'));
    END IF;

    INSERT INTO readings_keyed
    SELECT patient_id, time,
           CASE WHEN derived THEN ('x' || substr(reading_id, 3))::bit(64)::bigint
                ELSE ('x' || left(encode(sha256(convert_to(reading_id, 'UTF8')), 'hex'), 16))
                    ::bit(64)::bigint
           END,
           device_id, received_at, heart_rate, systolic, diastolic, spo2, respiratory_rate,
           temperature, steps_per_min, activity, contact, posture, synthetic,
           CASE WHEN NOT derived THEN reading_id END
    FROM readings, LATERAL (SELECT reading_id ~ '^r-[0-9a-f]{16}$') AS form (derived);

    FOREACH relation IN ARRAY averages LOOP
        FOR attempt IN REVERSE 50..0 LOOP
            BEGIN
                EXECUTE format(
                    'DROP %s IF EXISTS %I',
                    CASE WHEN timescale THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, relation
                );
                EXIT;
            EXCEPTION WHEN internal_error THEN  -- "tuple concurrently deleted": a job still ends
                IF attempt = 0 THEN RAISE; END IF;
                PERFORM pg_sleep(0.2);
            END;
        END LOOP;
    END LOOP;
    DROP TABLE readings;
    ALTER TABLE readings_keyed RENAME TO readings;
    ALTER TABLE readings RENAME CONSTRAINT readings_keyed_pkey TO readings_pkey;

    IF timescale THEN
        ALTER TABLE readings SET (
            timescaledb.enable_columnstore,
            timescaledb.segmentby = 'patient_id',
            timescaledb.orderby = 'time DESC, reading_key'
        );
    END IF;
END
$migration$;
