-- Averages by minute, quarter of an hour and hour, under the same names on any server: continuous
-- aggregates where TimescaleDB is there, ordinary views where it is not. Buckets are UTC: with a
-- time zone TimescaleDB drops rows where clocks change (timescaledb #10296).
DO $migration$
DECLARE
    relation text;
    width    text;
    every    text;
    numbers  text;
    timescale boolean;
BEGIN
    -- Installed already, or the server has it and loaded it at start: asked otherwise, it ends
    -- the connection.
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
        OR EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
            AND current_setting('shared_preload_libraries') LIKE '%timescaledb%'
    INTO timescale;
    IF timescale THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        -- The Apache edition has neither columnstore nor continuous aggregates.
        timescale := current_setting('timescaledb.license', true) = 'timescale';
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

    IF timescale THEN
        PERFORM create_hypertable(
            'readings', by_range('time', INTERVAL '7 days'), migrate_data => true
        );
        ALTER TABLE readings SET (
            timescaledb.enable_columnstore,
            timescaledb.segmentby = 'patient_id',
            timescaledb.orderby = 'time DESC, reading_id'
        );
        -- Two weeks: what a device may have buffered still arrives in rows, not in packed columns.
        CALL add_columnstore_policy('readings', after => INTERVAL '14 days');
    END IF;

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
            -- From the beginning of time: late readings correct history, and only ranges that
            -- changed are computed again.
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
