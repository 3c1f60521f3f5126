-- What the notify worker must know to tell each person once, and to stop in time.

ALTER TABLE deliveries
    ADD COLUMN kind       text NOT NULL DEFAULT '',  -- the event's kind; empty for a person's call
    ADD COLUMN reason     text CHECK (reason IN ('opened', 'raised', 'need_help', 'escalated')),
    ADD COLUMN made_at    timestamptz,               -- when the alert or action was published
    ADD COLUMN expires_at timestamptz,               -- of no use to anyone afterwards
    ADD COLUMN synthetic  boolean NOT NULL DEFAULT false;
UPDATE deliveries SET reason = 'opened', made_at = created_at, expires_at = created_at;
ALTER TABLE deliveries
    ALTER COLUMN reason SET NOT NULL,
    ALTER COLUMN made_at SET NOT NULL,
    ALTER COLUMN expires_at SET NOT NULL;
CREATE INDEX deliveries_by_event ON deliveries (event_id, created_at);
CREATE INDEX deliveries_newest ON deliveries (created_at DESC);

-- One row an episode that somebody was told of or has answered. It comes from two topics, which
-- may be read in any order, and so holds facts with their times, never a conclusion.
CREATE TABLE paged_episodes (
    event_id        text PRIMARY KEY,
    told            text CHECK (told IN ('high', 'medium')),  -- the most urgent level told so far
    acknowledged_at timestamptz,                     -- covers what was published up to then
    closed_at       timestamptz
);

CREATE INDEX push_subscriptions_live ON push_subscriptions (phone_id) WHERE ended_at IS NULL;
CREATE INDEX phones_by_patient ON phones (patient_id) WHERE revoked_at IS NULL;
