-- Every row of `latest` is updated with every batch. Where its page has room for the new version,
-- the index stays as it is (a HOT update), and the room of the old one is taken up again.
ALTER TABLE latest SET (fillfactor = 50);
