-- What is added to the times that a device sends, in seconds: how far its clock is known to be behind
-- (negative: ahead). Set by a person (`vigil device clock`), applied where readings come in.
ALTER TABLE devices ADD COLUMN clock_correction_seconds integer NOT NULL DEFAULT 0
    CHECK (clock_correction_seconds BETWEEN -316224000 AND 316224000);
