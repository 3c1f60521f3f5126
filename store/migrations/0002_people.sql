-- Who may look, who is told, and what was sent.

CREATE TABLE users (
    user_id       text PRIMARY KEY,
    password_hash text NOT NULL,                    -- argon2id
    role          text NOT NULL CHECK (role IN ('care_team', 'admin')),
    display_name  text NOT NULL DEFAULT '',
    active        boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sessions (
    token_sha256 text PRIMARY KEY,                  -- the cookie holds the token, we its digest
    user_id      text NOT NULL REFERENCES users ON DELETE CASCADE,
    csrf         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);

CREATE TABLE sign_in_failures (
    user_id   text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sign_in_failures_recent ON sign_in_failures (user_id, failed_at);

-- A one-time link makes a phone the patient's; the phone then holds a token of its own.
CREATE TABLE enrolments (
    code_sha256  text PRIMARY KEY,
    patient_id   text NOT NULL REFERENCES patients,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);

CREATE TABLE phones (
    phone_id     text PRIMARY KEY,
    token_sha256 text NOT NULL UNIQUE,
    patient_id   text NOT NULL REFERENCES patients,
    created_at   timestamptz NOT NULL DEFAULT now(),
    revoked_at   timestamptz
);

CREATE TABLE push_subscriptions (
    subscription_id text PRIMARY KEY,               -- derived from the endpoint
    phone_id        text NOT NULL REFERENCES phones ON DELETE CASCADE,
    endpoint        text NOT NULL,
    p256dh          text NOT NULL,
    auth            text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    ended_because   text
);

-- One row for each thing to send: claimed before it is sent, so no restart sends it twice unseen.
CREATE TABLE deliveries (
    delivery_id  text PRIMARY KEY,                  -- derived from alert, step and recipient
    alert_id     text NOT NULL,
    event_id     text NOT NULL,
    patient_id   text NOT NULL,
    sequence     integer NOT NULL,
    channel      text NOT NULL CHECK (channel IN ('web_push', 'on_call')),
    recipient    text NOT NULL,                     -- a subscription's id, or the on-call list's
    priority     text NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'sent', 'failed', 'dropped')),
    attempts     integer NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    detail       text NOT NULL DEFAULT '',
    shown_at     timestamptz                        -- the phone's receipt
);
CREATE INDEX deliveries_due ON deliveries (next_try_at) WHERE state = 'pending';
CREATE INDEX deliveries_by_alert ON deliveries (alert_id);
