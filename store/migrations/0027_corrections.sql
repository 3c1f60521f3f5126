-- Who was paged of an episode that stands, at a priority that it had by withdrawn readings alone, is
-- informed that it is corrected (vigil/domain/alert.py).
ALTER TABLE alerts ADD COLUMN corrected text NOT NULL DEFAULT '';
ALTER TABLE deliveries DROP CONSTRAINT deliveries_reason_check;
ALTER TABLE deliveries
    ADD CONSTRAINT deliveries_reason_check CHECK (
        reason IN (
            'opened', 'raised', 'worse', 'continues', 'withdrawn', 'corrected', 'need_help',
            'escalated'
        )
    );
