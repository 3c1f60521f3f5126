-- What is known of the directory's topic, which the doors read: up to when it holds what the tables
-- held, and where it says otherwise than they do.

-- Everything that was committed before `as_of` is on the topic before `next_offset`.
CREATE TABLE directory_published (
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    log_id      text NOT NULL,
    next_offset bigint NOT NULL,
    as_of       timestamptz NOT NULL
);

-- Entries that the topic has and the tables lack, or that are newer there: this database was
-- restored from a backup. A person says what is to become of them (`vigil device reconcile`).
CREATE TABLE directory_conflicts (
    entry      text PRIMARY KEY,                    -- the message's key, patient:… or device:…
    content    jsonb NOT NULL,
    changed_at timestamptz,                         -- null: written by a Vigil that did not say
    seen_at    timestamptz NOT NULL DEFAULT now()
);
