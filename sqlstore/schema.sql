-- Records of coatcheck, schema version 2. Times are milliseconds since the
-- Unix epoch; 9223372036854775807 stands for never. What version 2 has added
-- stands last, since migrate1.sql adds it to a database of version 1.
CREATE TABLE records (
	id                TEXT    NOT NULL PRIMARY KEY,
	incarnation       INTEGER NOT NULL,
	rev               INTEGER NOT NULL,
	secret_hash       BLOB    NOT NULL,
	subject           TEXT    NOT NULL,
	value             BLOB    NOT NULL,
	created_at        INTEGER NOT NULL,
	expires_at        INTEGER NOT NULL,
	absolute_deadline INTEGER NOT NULL,
	idle_timeout      INTEGER NOT NULL, -- milliseconds, 0 for none
	-- The secrets before, the latest first: for each 16 bytes of hash and, both
	-- big-endian in 8 bytes, when it was replaced and until when it is accepted.
	retired           BLOB    NOT NULL DEFAULT x'',
	client_address    TEXT    NOT NULL DEFAULT '',
	client_user_agent TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX records_expires_at ON records (expires_at);
CREATE INDEX records_subject ON records (subject, id) WHERE subject <> '';
