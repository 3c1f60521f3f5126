-- A reading is keyed by a number: the id that Vigil derives is that number (store/reading_keys.py),
-- and text is kept only of an id that is a device's own. Most of a packed row was its id before.
--
-- The table is made anew and the rows are carried over, packed ones too: it takes room for all of
-- them unpacked until TimescaleDB's policy has packed them again. The averages are computed anew
-- from the rows, so it is refused where they tell of rows that are gone.
DO $migration$
DECLARE
    relation  text;
    width     text;
    every     text;
    numbers   text;
    oldest    timestamptz;
    gone      boolean;
    timescale boolean := to_regclass('timescaledb_information.continuous_aggregates') IS NOT NULL;
BEGIN
    IF timescale THEN
        SELECT EXISTS (
            SELECT FROM timescaledb_information.continuous_aggregates
            WHERE view_schema = current_schema() AND view_name = 'readings_1h'
        ) INTO timescale;
    END IF;

    IF timescale THEN
        SELECT min(time) INTO oldest FROM readings;
        SELECT EXISTS (
            SELECT FROM readings_1h WHERE bucket < time_bucket(INTERVAL '1 hour', oldest)
                OR oldest IS NULL
        ) INTO gone;
        IF gone THEN
            RAISE EXCEPTION 'readings_1h tells of readings that are no longer stored'
                USING HINT = 'Copy readings_1m, readings_15m and readings_1h to tables of your own,'
                    ' drop the three and then run `vigil migrate` again.';
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

    FOREACH relation IN ARRAY ARRAY['readings_1m', 'readings_15m', 'readings_1h'] LOOP
        IF timescale THEN
            EXECUTE format('DROP MATERIALIZED VIEW %I', relation);
        ELSE
            EXECUTE format('DROP VIEW %I', relation);
        END IF;
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
        CALL add_columnstore_policy('readings', after => INTERVAL '14 days');
    END IF;

    SELECT string_agg(
        format(
            'avg(%1$I) AS %1$s_avg, min(%1$I) AS %1$s_min, max(%1$I) AS %1$s_max,'
            ' count(%1$I) AS %1$s_count', signal
        ), ', ' ORDER BY place
    )
    INTO numbers
    FROM unnest(ARRAY[
        'heart_rate', 'systolic', 'diastolic', 'spo2', 'respiratory_rate', 'temperature'
    ]) WITH ORDINALITY AS signals (signal, place);

    FOR relation, width, every IN VALUES
        ('readings_1m', '1 minute', '1 minute'),
        ('readings_15m', '15 minutes', '5 minutes'),
        ('readings_1h', '1 hour', '15 minutes')
    LOOP
        IF timescale THEN
            EXECUTE format(
                'CREATE MATERIALIZED VIEW %I'
                ' WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS'
                ' SELECT patient_id, time_bucket(%L::interval, time) AS bucket, %s'
                ' FROM readings GROUP BY 1, 2 WITH NO DATA', relation, width, numbers
            );
            PERFORM add_continuous_aggregate_policy(
                relation::regclass, start_offset => NULL, end_offset => INTERVAL '1 hour',
                schedule_interval => every::interval
            );
        ELSE
            EXECUTE format(
                'CREATE VIEW %I AS SELECT patient_id,'
                ' date_bin(%L::interval, time, ''2000-01-01T00:00:00Z''::timestamptz) AS bucket, %s'
                ' FROM readings GROUP BY 1, 2', relation, width, numbers
            );
        END IF;
    END LOOP;
END
$migration$;
