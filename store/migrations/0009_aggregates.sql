-- The averages anew: with percentiles, with days, packed when they are old, and with what keeps
-- them when raw readings go. On TimescaleDB they are continuous aggregates; elsewhere views of the
-- same names, columns and answers, which put together what was kept and what is computed.
-- `readings_15m_of(patient, since, until)` and its like are one patient's buckets that begin from
-- `since` until before `until`: on plain PostgreSQL they read those rows alone, where a condition
-- on a view's bucket would read all of the patient's.

-- Readings measured before it are gone, or go: they count in no aggregate that is computed later.
CREATE TABLE readings_gone (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    before timestamptz NOT NULL                     -- midnight UTC; never goes back
);

DO $migration$
DECLARE
    relation  text;
    width     text;
    every     text;
    settled   text;
    span      text;
    packed    text;
    at_once   integer;
    bands     boolean;
    figures   text;
    columns   text;
    query     text;
    arguments CONSTANT text := '(patient text, since timestamptz, until timestamptz)';
    origin    CONSTANT text := '''2000-01-01T00:00:00Z''::timestamptz';
    horizon   CONSTANT text := '(SELECT coalesce(max(before), ''-infinity'') FROM readings_gone)';
    timescale boolean := to_regclass('timescaledb_information.hypertables') IS NOT NULL;
BEGIN
    IF timescale THEN
        SELECT EXISTS (
            SELECT FROM timescaledb_information.hypertables
            WHERE hypertable_schema = current_schema() AND hypertable_name = 'readings'
        ) INTO timescale;
    END IF;
    IF timescale THEN
        CALL add_columnstore_policy('readings', after => INTERVAL '7 days');
    END IF;

    -- Of a minute there are no percentiles: most devices measure once in it, and a band between
    -- the least and the greatest says the same.
    FOR relation, width, every, settled, span, packed, at_once, bands IN VALUES
        ('readings_1m', '1 minute', '1 minute', '1 hour', '7 days', '14 days', 1440, false),
        ('readings_15m', '15 minutes', '5 minutes', '1 hour', '28 days', '56 days', 96, true),
        ('readings_1h', '1 hour', '15 minutes', '2 hours', '84 days', '168 days', 24, true),
        ('readings_1d', '1 day', '1 hour', '1 day', '728 days', '1456 days', 1, true)
    LOOP
        SELECT string_agg(
            format(
                'avg(%1$I) AS %1$s_avg, min(%1$I) AS %1$s_min, max(%1$I) AS %1$s_max,'
                ' count(%1$I) AS %1$s_count', signal
            ) || CASE WHEN bands THEN format(
                ', percentile_cont(0.1) WITHIN GROUP (ORDER BY %1$I) AS %1$s_p10'
                ', percentile_cont(0.5) WITHIN GROUP (ORDER BY %1$I) AS %1$s_p50'
                ', percentile_cont(0.9) WITHIN GROUP (ORDER BY %1$I) AS %1$s_p90', signal
            ) ELSE '' END, ', ' ORDER BY place
        ), string_agg(
            format(
                '%1$s_avg float8, %1$s_min float8, %1$s_max float8, %1$s_count bigint', signal
            ) || CASE WHEN bands THEN format(
                ', %1$s_p10 float8, %1$s_p50 float8, %1$s_p90 float8', signal
            ) ELSE '' END, ', ' ORDER BY place
        )
        INTO figures, columns
        FROM unnest(ARRAY[
            'heart_rate', 'systolic', 'diastolic', 'spo2', 'respiratory_rate', 'temperature'
        ]) WITH ORDINALITY AS signals (signal, place);

        IF timescale THEN
            EXECUTE format(
                'CREATE MATERIALIZED VIEW %I WITH (timescaledb.continuous,'
                ' timescaledb.materialized_only = false, timescaledb.chunk_interval = %L) AS'
                ' SELECT patient_id, time_bucket(%L::interval, time) AS bucket, %s'
                ' FROM readings GROUP BY 1, 2 WITH NO DATA', relation, span, width, figures
            );
            -- From the beginning of time: late readings correct history, and only ranges that
            -- changed are computed again. A day's buckets are a transaction, the oldest first:
            -- while history is computed for the first time, what is not done yet is still
            -- answered from the rows.
            PERFORM add_continuous_aggregate_policy(
                relation::regclass, start_offset => NULL, end_offset => settled::interval,
                schedule_interval => every::interval, buckets_per_batch => at_once,
                refresh_newest_first => false
            );
            EXECUTE format(
                'ALTER MATERIALIZED VIEW %I SET (timescaledb.enable_columnstore,'
                ' timescaledb.segmentby = ''patient_id'', timescaledb.orderby = ''bucket DESC'')',
                relation
            );
            CALL add_columnstore_policy(relation::regclass, after => packed::interval);
            query := format(
                'SELECT * FROM %I WHERE patient_id = $1 AND bucket >= $2 AND bucket < $3', relation
            );
        ELSE
            EXECUTE format(
                'CREATE TABLE %I (patient_id text, bucket timestamptz, %s,'
                ' PRIMARY KEY (patient_id, bucket))', relation || '_kept', columns
            );
            query := format(
                'SELECT * FROM %I WHERE bucket < %s {kept} UNION ALL'
                ' SELECT patient_id, date_bin(%L::interval, time, %s) AS bucket, %s'
                ' FROM readings WHERE time >= %2$s {rows} GROUP BY 1, 2',
                relation || '_kept', horizon, width, origin, figures
            );
            EXECUTE format(
                'CREATE VIEW %I AS %s', relation,
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
            'CREATE FUNCTION %I%s RETURNS TABLE (patient_id text, bucket timestamptz, %s)'
            ' LANGUAGE sql STABLE PARALLEL SAFE AS %L',
            relation || '_of', arguments, columns, query
        );
    END LOOP;
END
$migration$;
