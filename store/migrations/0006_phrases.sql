-- The phrasebook: each sentence as it stands, and every revision that anybody made of it. Both come
-- from vitals.phrases. `content` is the message itself, by bytes: with it two reviews of one moment
-- are settled here as they are in every worker's memory.
CREATE TABLE phrases (
    phrase_id   text PRIMARY KEY,
    signature   text NOT NULL,
    text        text NOT NULL,
    status      text NOT NULL CHECK (status IN ('draft', 'approved', 'banned')),
    author      text NOT NULL,
    revision    integer NOT NULL,
    time        timestamptz NOT NULL,
    by          text NOT NULL,                      -- the reviewer's user id, or empty
    model       text NOT NULL,
    adapter     text NOT NULL,
    prompt_hash text NOT NULL,
    replaces    text NOT NULL,                      -- the phrase that it was edited from, or empty
    content     text COLLATE "C" NOT NULL,
    -- Parts of the signature that the review page filters by.
    locale      text NOT NULL GENERATED ALWAYS AS (split_part(signature, '/', 1)) STORED,
    audience    text NOT NULL GENERATED ALWAYS AS (split_part(signature, '/', 2)) STORED,
    kind        text NOT NULL GENERATED ALWAYS AS
        (split_part(split_part(signature, '/', 3), '.', 1)) STORED
);
CREATE INDEX phrases_in_order ON phrases (signature, phrase_id);

CREATE TABLE phrase_history (
    phrase_id text NOT NULL,
    revision  integer NOT NULL,
    digest    text NOT NULL,                        -- SHA-256 of content
    status    text NOT NULL,
    time      timestamptz NOT NULL,
    by        text NOT NULL,
    content   text COLLATE "C" NOT NULL,
    PRIMARY KEY (phrase_id, revision, digest)
);

-- Locale → the slots that the patient's text shows in it, as rendered.
ALTER TABLE alerts ADD COLUMN local_slots jsonb NOT NULL DEFAULT '{}';
