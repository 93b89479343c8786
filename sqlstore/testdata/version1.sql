-- Records of coatcheck, schema version 1. Times are milliseconds since the
-- Unix epoch; 9223372036854775807 stands for never.
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
	idle_timeout      INTEGER NOT NULL -- milliseconds, 0 for none
);
CREATE INDEX records_expires_at ON records (expires_at);
