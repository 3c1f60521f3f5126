-- Since when a device belongs to its patient, where it was another's before: what it measured until
-- then is not this patient's. Null: it was nobody else's, as far as is known.
ALTER TABLE devices ADD COLUMN assigned_at timestamptz;
