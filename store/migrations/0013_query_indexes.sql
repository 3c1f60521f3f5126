-- What the named queries live on (store/queries), so that none reads all of a table that grows.

-- A shift's episodes, whoever they are of.
CREATE INDEX episodes_by_told ON episodes (detected_at);
CREATE INDEX episodes_by_end ON episodes (ended_at);
CREATE INDEX actions_help_by_time ON actions (time) WHERE verb = 'need_help';

-- The events that a patient asked for help about and that nobody has acknowledged since, for the
-- board. `episode_state` has the last word: a call and its answer that are stored at the same moment
-- may leave a row here that is not on the board.
CREATE TABLE help_wanted (
    event_id text PRIMARY KEY
);

CREATE VIEW unanswered_help AS
SELECT a.event_id FROM actions a
WHERE a.verb = 'need_help' AND NOT EXISTS (
    SELECT FROM actions b WHERE b.event_id = a.event_id AND b.verb = 'acknowledge'
      AND b.actor <> 'patient' AND b.time >= a.time
);

-- Calls and answers may be stored in either order.
CREATE FUNCTION take_help_action() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    IF NEW.verb = 'need_help' THEN
        INSERT INTO help_wanted
        SELECT event_id FROM unanswered_help WHERE event_id = NEW.event_id
        ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM help_wanted w
        WHERE w.event_id = NEW.event_id AND NOT EXISTS (
            SELECT FROM unanswered_help u WHERE u.event_id = NEW.event_id
        );
    END IF;
    RETURN NULL;
END
$function$;

CREATE TRIGGER actions_help_wanted AFTER INSERT ON actions
    FOR EACH ROW WHEN (NEW.verb IN ('need_help', 'acknowledge'))
    EXECUTE FUNCTION take_help_action();

INSERT INTO help_wanted SELECT DISTINCT event_id FROM unanswered_help;
