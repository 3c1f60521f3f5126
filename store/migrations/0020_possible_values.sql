-- What is shown of a signal can be true: a value outside the signals table (vigil/domain/signals.py) is
-- nothing, wherever it was stored from, and breaks no average. The store refuses such values since
-- this version; here is what becomes of those that are there.
--
-- `possible(signal, value)` is the value, or null where it cannot be. Whatever reads rows asks it; on
-- plain PostgreSQL the averages do too. A continuous aggregate's definition
-- cannot be changed without computing all history anew, of which rows may be gone: on TimescaleDB
-- impossible values are taken out of the table, kept in `values_set_aside`, and refused by the table
-- from now on.
CREATE FUNCTION possible(signal text, value double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN value BETWEEN
        CASE signal
            WHEN 'heart_rate' THEN 20 WHEN 'systolic' THEN 30 WHEN 'diastolic' THEN 10
            WHEN 'spo2' THEN 30 WHEN 'respiratory_rate' THEN 2 WHEN 'temperature' THEN 20
            WHEN 'steps_per_min' THEN 0
        END
        AND CASE signal
            WHEN 'heart_rate' THEN 300 WHEN 'systolic' THEN 300 WHEN 'diastolic' THEN 250
            WHEN 'spo2' THEN 100 WHEN 'respiratory_rate' THEN 100 WHEN 'temperature' THEN 46
            WHEN 'steps_per_min' THEN 400
        END
    THEN value END;

-- Moments that a page can do arithmetic with.
CREATE FUNCTION believable(moment timestamptz) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN moment >= timestamptz '2000-01-01 00:00:00Z'
       AND moment < timestamptz '2200-01-01 00:00:00Z';

-- Values as they came, that were taken out of a table because they cannot be true.
CREATE TABLE values_set_aside (
    patient_id   text NOT NULL,
    time         timestamptz NOT NULL,
    reading_key  bigint NOT NULL,
    signal       text NOT NULL,
    value        double precision NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (patient_id, time, reading_key, signal)
);

DO $migration$
DECLARE
    names     CONSTANT text[] := ARRAY[
        'heart_rate', 'systolic', 'diastolic', 'spo2', 'respiratory_rate', 'temperature'
    ];
    origin    CONSTANT text := '''2000-01-01T00:00:00Z''::timestamptz';
    horizon   CONSTANT text := '(SELECT coalesce(max(before), ''-infinity'') FROM readings_gone)';
    relation  text;
    width     text;
    bands     boolean;
    kept      text;
    figures   text;
    rows      text;
    query     text;
    bad       record;
    timescale boolean := to_regclass('timescaledb_information.hypertables') IS NOT NULL;
BEGIN
    IF timescale THEN
        SELECT EXISTS (
            SELECT FROM timescaledb_information.hypertables
            WHERE hypertable_schema = current_schema() AND hypertable_name = 'readings'
        ) INTO timescale;
    END IF;

    IF timescale THEN
        INSERT INTO values_set_aside (patient_id, time, reading_key, signal, value)
        SELECT r.patient_id, r.time, r.reading_key, v.signal, v.value
        FROM readings r
        CROSS JOIN LATERAL (VALUES
            ('heart_rate', r.heart_rate), ('systolic', r.systolic), ('diastolic', r.diastolic),
            ('spo2', r.spo2), ('respiratory_rate', r.respiratory_rate),
            ('temperature', r.temperature), ('steps_per_min', r.steps_per_min)
        ) AS v (signal, value)
        WHERE (r.heart_rate NOT BETWEEN 20 AND 300 OR r.systolic NOT BETWEEN 30 AND 300
               OR r.diastolic NOT BETWEEN 10 AND 250 OR r.spo2 NOT BETWEEN 30 AND 100
               OR r.respiratory_rate NOT BETWEEN 2 AND 100 OR r.temperature NOT BETWEEN 20 AND 46
               OR r.steps_per_min NOT BETWEEN 0 AND 400)
          AND v.value IS NOT NULL AND possible(v.signal, v.value) IS NULL;
        -- Row by row, with the key as constants: only the packed batch that holds it is unpacked.
        PERFORM set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true);
        FOR bad IN
            SELECT patient_id, time, reading_key, string_agg(format('%I = NULL', signal), ', ') AS to
            FROM values_set_aside GROUP BY 1, 2, 3
        LOOP
            EXECUTE format(
                'UPDATE readings SET %s WHERE patient_id = %L AND time = %L::timestamptz'
                ' AND reading_key = %L::bigint', bad.to, bad.patient_id, bad.time, bad.reading_key
            );
        END LOOP;
        -- Of the rows that are there it is known now; of those to come it is asked.
        ALTER TABLE readings ADD CONSTRAINT readings_possible_values CHECK (
            heart_rate BETWEEN 20 AND 300 AND systolic BETWEEN 30 AND 300
            AND diastolic BETWEEN 10 AND 250 AND spo2 BETWEEN 30 AND 100
            AND respiratory_rate BETWEEN 2 AND 100 AND temperature BETWEEN 20 AND 46
            AND steps_per_min BETWEEN 0 AND 400
        ) NOT VALID;
    END IF;

    -- The newest value that can be, in place of one that cannot.
    FOR bad IN
        DELETE FROM latest WHERE possible(signal, value) IS NULL OR NOT believable(time)
        RETURNING patient_id, signal
    LOOP
        CONTINUE WHEN bad.signal <> ALL (names);
        EXECUTE format(
            'INSERT INTO latest (patient_id, signal, value, time, received_at)'
            ' SELECT patient_id, %1$L, %1$I, time, received_at FROM readings'
            ' WHERE patient_id = %2$L AND possible(%1$L, %1$I) IS NOT NULL AND believable(time)'
            ' ORDER BY time DESC LIMIT 1 ON CONFLICT DO NOTHING', bad.signal, bad.patient_id
        );
    END LOOP;

    FOR relation, width, bands IN VALUES
        ('readings_1m', '1 minute', false), ('readings_15m', '15 minutes', true),
        ('readings_1h', '1 hour', true), ('readings_1d', '1 day', true)
    LOOP
        SELECT string_agg(
            format(
                'possible(%1$L, %1$s_avg) AS %1$s_avg, possible(%1$L, %1$s_min) AS %1$s_min,'
                ' possible(%1$L, %1$s_max) AS %1$s_max, CASE WHEN possible(%1$L, %1$s_avg) IS NULL'
                ' THEN 0 ELSE %1$s_count END AS %1$s_count', signal
            ) || CASE WHEN bands THEN format(
                ', possible(%1$L, %1$s_p10) AS %1$s_p10, possible(%1$L, %1$s_p50) AS %1$s_p50'
                ', possible(%1$L, %1$s_p90) AS %1$s_p90', signal
            ) ELSE '' END, ', ' ORDER BY place
        ), string_agg(
            format(
                'avg(%1$I) AS %1$s_avg, min(%1$I) AS %1$s_min, max(%1$I) AS %1$s_max,'
                ' count(%1$I) AS %1$s_count', signal
            ) || CASE WHEN bands THEN format(
                ', percentile_cont(0.1) WITHIN GROUP (ORDER BY %1$I) AS %1$s_p10'
                ', percentile_cont(0.5) WITHIN GROUP (ORDER BY %1$I) AS %1$s_p50'
                ', percentile_cont(0.9) WITHIN GROUP (ORDER BY %1$I) AS %1$s_p90', signal
            ) ELSE '' END, ', ' ORDER BY place
        ), string_agg(format('possible(%1$L, %1$I) AS %1$I', signal), ', ' ORDER BY place)
        INTO kept, figures, rows
        FROM unnest(names) WITH ORDINALITY AS signals (signal, place);

        IF timescale THEN
            query := format(
                'SELECT patient_id, bucket, %s FROM %I'
                ' WHERE patient_id = $1 AND bucket >= $2 AND bucket < $3', kept, relation
            );
        ELSE
            query := format(
                'SELECT patient_id, bucket, %s FROM %I WHERE bucket < %s {kept} UNION ALL'
                ' SELECT patient_id, date_bin(%L::interval, time, %s) AS bucket, %s'
                ' FROM (SELECT patient_id, time, %s FROM readings) AS r'
                ' WHERE time >= %3$s AND isfinite(time) {rows} GROUP BY 1, 2',
                kept, relation || '_kept', horizon, width, origin, figures, rows
            );
            EXECUTE format(
                'CREATE OR REPLACE VIEW %I AS %s', relation,
                replace(replace(query, '{kept}', ''), '{rows}', '')
            );
            query := replace(query, '{kept}', 'AND patient_id = $1 AND bucket >= $2 AND bucket < $3');
            query := replace(query, '{rows}', format(
                'AND patient_id = $1 AND time >= date_bin(%1$L::interval, $2 - %2$s, %3$s) + %1$L'
                ' AND time < date_bin(%1$L::interval, $3 - %2$s, %3$s) + %1$L',
                width, 'INTERVAL ''1 microsecond''', origin
            ));
        END IF;
        EXECUTE format(
            'CREATE OR REPLACE FUNCTION %I(patient text, since timestamptz, until timestamptz)'
            ' RETURNS TABLE (patient_id text, bucket timestamptz, %s)'
            ' LANGUAGE sql STABLE PARALLEL SAFE AS %L',
            relation || '_of', (
                SELECT string_agg(
                    format(
                        '%1$s_avg float8, %1$s_min float8, %1$s_max float8, %1$s_count bigint',
                        signal
                    ) || CASE WHEN bands THEN format(
                        ', %1$s_p10 float8, %1$s_p50 float8, %1$s_p90 float8', signal
                    ) ELSE '' END, ', ' ORDER BY place
                )
                FROM unnest(names) WITH ORDINALITY AS signals (signal, place)
            ), query
        );
    END LOOP;
END
$migration$;
