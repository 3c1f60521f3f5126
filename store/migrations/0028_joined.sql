-- A further finding that is of high priority by itself, announced within an episode that staff have
-- acknowledged, pages again and lifts the acknowledgement (`change` is `joined`). As before but for
-- that.
CREATE OR REPLACE FUNCTION take_episode_step() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    change    CONSTANT text := coalesce(NEW.evidence ->> 'change', '');
    uncertain CONSTANT boolean := coalesce(NEW.evidence -> 'time_uncertain' = 'true', false);
    observed  CONSTANT boolean := coalesce(NEW.evidence -> 'duration_observed' = 'true', false);
    lost      CONSTANT boolean := NEW.phase = 'closed'
        AND coalesce(NEW.evidence ->> 'reason' = 'unobserved', false);
    highest   CONSTANT text := more_urgent(NEW.priority, NEW.evidence ->> 'highest_priority');
    -- As notify/planning/policy.py pages again; the rise of priority is looked at below.
    again     CONSTANT boolean := change IN ('worse', 'joined', 'continues')
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

ALTER TABLE deliveries DROP CONSTRAINT deliveries_reason_check;
ALTER TABLE deliveries
    ADD CONSTRAINT deliveries_reason_check CHECK (
        reason IN (
            'opened', 'raised', 'worse', 'joined', 'continues', 'withdrawn', 'corrected',
            'need_help', 'escalated'
        )
    );
