-- Alarms that speak up again, that fall, and that are history.

-- What an alert says of its step, and whether a step was past its useful time when its message was
-- published: then it is history, which pages nobody (vigil/domain/alert.py).
ALTER TABLE events ADD COLUMN history boolean NOT NULL DEFAULT false;
ALTER TABLE alerts
    ADD COLUMN change           text NOT NULL DEFAULT '',
    ADD COLUMN highest_priority text NOT NULL DEFAULT '',
    ADD COLUMN time_uncertain   boolean NOT NULL DEFAULT false,
    ADD COLUMN history          boolean NOT NULL DEFAULT false;

-- The state of an episode: the highest that it ever was, since when it is as it is, and why an
-- earlier acknowledgement does not count (`raised_at` is the time of storing, `raised_time` that of
-- the reading). `unobserved_end`: it ended because nothing was measured any more.
ALTER TABLE episodes
    ADD COLUMN highest_priority  text,
    ADD COLUMN priority_since    timestamptz,
    ADD COLUMN raised_because    text NOT NULL DEFAULT '',
    ADD COLUMN raised_time       timestamptz,
    ADD COLUMN duration_observed boolean NOT NULL DEFAULT false,
    ADD COLUMN unobserved_end    boolean NOT NULL DEFAULT false,
    ADD COLUMN history           boolean NOT NULL DEFAULT false,
    ADD COLUMN time_uncertain    boolean NOT NULL DEFAULT false;
UPDATE episodes SET highest_priority = priority, priority_since = detected_at;
ALTER TABLE episodes
    ALTER COLUMN highest_priority SET NOT NULL,
    ALTER COLUMN priority_since SET NOT NULL;

CREATE FUNCTION more_urgent(one text, other text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN urgency(other) < urgency(one) THEN other ELSE one END;

CREATE OR REPLACE FUNCTION take_episode_step() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    change    CONSTANT text := coalesce(NEW.evidence ->> 'change', '');
    uncertain CONSTANT boolean := coalesce(NEW.evidence -> 'time_uncertain' = 'true', false);
    observed  CONSTANT boolean := coalesce(NEW.evidence -> 'duration_observed' = 'true', false);
    lost      CONSTANT boolean := NEW.phase = 'closed'
        AND coalesce(NEW.evidence ->> 'reason' = 'unobserved', false);
    highest   CONSTANT text := more_urgent(NEW.priority, NEW.evidence ->> 'highest_priority');
    -- As notify/planning/policy.py pages again; the rise of priority is looked at below.
    again     CONSTANT boolean := change IN ('worse', 'continues')
        AND NEW.category = 'clinical' AND NEW.phase <> 'closed'
        AND NEW.priority IN ('high', 'medium')
        AND NOT NEW.history AND NOT NEW.retrospective;
BEGIN
    INSERT INTO episodes AS e (
        event_id, patient_id, kind, category, sequence, phase, priority, onset, detected_at,
        ended_at, retrospective, synthetic, highest_priority, priority_since, duration_observed,
        unobserved_end, history, time_uncertain
    )
    VALUES (
        NEW.event_id, NEW.patient_id, NEW.kind, NEW.category, NEW.sequence, NEW.phase,
        NEW.priority, NEW.onset, NEW.detected_at, NEW.ended_at, NEW.retrospective, NEW.synthetic,
        highest, NEW.detected_at, observed, lost, NEW.history, uncertain
    )
    ON CONFLICT (event_id) DO UPDATE
    SET sequence = EXCLUDED.sequence, phase = EXCLUDED.phase, priority = EXCLUDED.priority,
        onset = EXCLUDED.onset, detected_at = EXCLUDED.detected_at, ended_at = EXCLUDED.ended_at,
        retrospective = EXCLUDED.retrospective, changed_at = now(),
        highest_priority = more_urgent(e.highest_priority, EXCLUDED.highest_priority),
        priority_since = CASE
            WHEN EXCLUDED.priority <> e.priority THEN EXCLUDED.detected_at ELSE e.priority_since
        END,
        raised_at = CASE
            WHEN again OR urgency(EXCLUDED.priority) < urgency(e.priority) THEN now()
            ELSE e.raised_at
        END,
        raised_because = CASE
            WHEN urgency(EXCLUDED.priority) < urgency(e.priority) THEN 'raised'
            WHEN again THEN change
            ELSE e.raised_because
        END,
        raised_time = CASE
            WHEN again OR urgency(EXCLUDED.priority) < urgency(e.priority)
            THEN EXCLUDED.detected_at ELSE e.raised_time
        END,
        duration_observed = EXCLUDED.duration_observed,
        unobserved_end = EXCLUDED.unobserved_end,
        -- An end pages nobody: it makes nothing new of what was history.
        history = e.history AND (EXCLUDED.history OR EXCLUDED.phase = 'closed'),
        time_uncertain = e.time_uncertain OR EXCLUDED.time_uncertain
    WHERE EXCLUDED.sequence > e.sequence;
    RETURN NULL;
END
$function$;

-- As before, with the acknowledgement that does not count any more: who, and when.
DROP VIEW episode_state;
CREATE VIEW episode_state AS
SELECT e.*, words.texts, words.slots, words.provenance, words.revision,
       help.time AS help_at, ack.actor AS acknowledged_by, ack.time AS acknowledged_at,
       lifted.actor AS lifted_by, lifted.time AS lifted_at
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
) ack ON true
LEFT JOIN LATERAL (
    SELECT a.actor, a.time FROM actions a
    WHERE a.event_id = e.event_id AND a.verb = 'acknowledge' AND a.actor <> 'patient'
      AND a.time < e.raised_at AND e.raised_because <> '' AND ack.time IS NULL
    ORDER BY a.time DESC LIMIT 1
) lifted ON true;

-- What the notify worker knows of an episode: the level notified now, which falls with the episode;
-- the last step that it decided on; when it was last paged; and a worsening that pages if it turns
-- out that the episode had been acknowledged before it (the two topics may be read in any order).
ALTER TABLE paged_episodes DROP CONSTRAINT paged_episodes_told_check;
ALTER TABLE paged_episodes
    ADD CONSTRAINT paged_episodes_told_check CHECK (told IN ('high', 'medium', 'low')),
    ADD COLUMN sequence integer,
    ADD COLUMN paged_at timestamptz,
    ADD COLUMN worse    jsonb;
UPDATE paged_episodes e SET sequence = d.sequence, paged_at = d.paged_at
FROM (
    SELECT event_id, max(sequence) AS sequence, max(made_at) AS paged_at
    FROM deliveries WHERE reason IN ('opened', 'raised') GROUP BY event_id
) d
WHERE d.event_id = e.event_id;

ALTER TABLE deliveries DROP CONSTRAINT deliveries_reason_check;
ALTER TABLE deliveries
    ADD CONSTRAINT deliveries_reason_check CHECK (
        reason IN ('opened', 'raised', 'worse', 'continues', 'need_help', 'escalated')
    ),
    ADD COLUMN happened_at    timestamptz,              -- event time; null: of an earlier version
    ADD COLUMN time_uncertain boolean NOT NULL DEFAULT false;
