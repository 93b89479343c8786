-- Makes a database of schema version 1 one of version 2, see schema.sql. No row
-- is written, so it takes no longer with many records than with few, but for the
-- index.
ALTER TABLE records ADD COLUMN retired           BLOB NOT NULL DEFAULT x'';
ALTER TABLE records ADD COLUMN client_address    TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN client_user_agent TEXT NOT NULL DEFAULT '';
CREATE INDEX records_subject ON records (subject, id) WHERE subject <> '';
