-- Where each episode stands, kept by a trigger on its steps, so that the ward board asks for what
-- is active without reading history. Times of `opened_at`, `raised_at` and `changed_at` are those
-- of storing: what people do is compared with when they could have seen it.
CREATE TABLE episodes (
    event_id      text PRIMARY KEY,
    patient_id    text NOT NULL,
    kind          text NOT NULL,
    category      text NOT NULL,
    sequence      integer NOT NULL,
    phase         text NOT NULL,
    priority      text NOT NULL,
    onset         timestamptz NOT NULL,
    detected_at   timestamptz NOT NULL,
    ended_at      timestamptz,
    retrospective boolean NOT NULL,
    synthetic     boolean NOT NULL,
    opened_at     timestamptz NOT NULL DEFAULT now(),
    raised_at     timestamptz NOT NULL DEFAULT now(),   -- an earlier acknowledgement does not count
    changed_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX episodes_active ON episodes (patient_id) WHERE phase <> 'closed';
CREATE INDEX episodes_ended ON episodes (patient_id, ended_at) WHERE phase = 'closed';
CREATE INDEX episodes_by_patient ON episodes (patient_id, onset DESC);

CREATE FUNCTION urgency(priority text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE priority WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END;

CREATE FUNCTION take_episode_step() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    INSERT INTO episodes AS e (
        event_id, patient_id, kind, category, sequence, phase, priority, onset, detected_at,
        ended_at, retrospective, synthetic
    )
    VALUES (
        NEW.event_id, NEW.patient_id, NEW.kind, NEW.category, NEW.sequence, NEW.phase,
        NEW.priority, NEW.onset, NEW.detected_at, NEW.ended_at, NEW.retrospective, NEW.synthetic
    )
    ON CONFLICT (event_id) DO UPDATE
    SET sequence = EXCLUDED.sequence, phase = EXCLUDED.phase, priority = EXCLUDED.priority,
        onset = EXCLUDED.onset, detected_at = EXCLUDED.detected_at, ended_at = EXCLUDED.ended_at,
        retrospective = EXCLUDED.retrospective, changed_at = now(),
        raised_at = CASE
            WHEN urgency(EXCLUDED.priority) < urgency(e.priority) THEN now() ELSE e.raised_at
        END
    WHERE EXCLUDED.sequence > e.sequence;
    RETURN NULL;
END
$function$;

CREATE TRIGGER events_step AFTER INSERT ON events
    FOR EACH ROW EXECUTE FUNCTION take_episode_step();

-- Patients who asked for help, for the board: few among many actions.
CREATE INDEX actions_help ON actions (event_id, time) WHERE verb = 'need_help';

-- An episode, its newest words, and what people have done about it. An acknowledgement covers the
-- episode as it stood then: one whose priority rose since, or whose patient has asked for help
-- since, is not acknowledged.
CREATE VIEW episode_state AS
SELECT e.*, words.texts, words.slots, words.provenance, words.revision,
       help.time AS help_at, ack.actor AS acknowledged_by, ack.time AS acknowledged_at
FROM episodes e
LEFT JOIN LATERAL (
    SELECT a.texts, a.slots, a.provenance, a.revision
    FROM alerts a WHERE a.event_id = e.event_id ORDER BY a.revision DESC LIMIT 1
) words ON true
LEFT JOIN LATERAL (
    SELECT max(a.time) AS time FROM actions a
    WHERE a.event_id = e.event_id AND a.verb = 'need_help' AND NOT EXISTS (
        SELECT FROM actions b WHERE b.event_id = e.event_id AND b.verb = 'acknowledge'
          AND b.actor <> 'patient' AND b.time >= a.time
    )
) help ON true
LEFT JOIN LATERAL (
    SELECT a.actor, a.time FROM actions a
    WHERE a.event_id = e.event_id AND a.verb = 'acknowledge' AND a.actor <> 'patient'
      AND a.time >= e.raised_at AND help.time IS NULL
    ORDER BY a.time DESC LIMIT 1
) ack ON true;
