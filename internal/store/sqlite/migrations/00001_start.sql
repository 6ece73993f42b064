-- +goose Up

-- What the journal knows of itself: its epoch, and how its last life went.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- The hot log: one row a commit, every event of that commit (row.go). It is
-- read when the file is opened, and never again.
CREATE TABLE log (
  id   INTEGER PRIMARY KEY,
  body BLOB NOT NULL
);

-- A deleted conversation keeps its row, without a title: its name stays taken.
CREATE TABLE conversations (
  id              INTEGER PRIMARY KEY,
  user_id         TEXT    NOT NULL,
  conversation_id TEXT    NOT NULL,
  title           TEXT    NOT NULL DEFAULT '',
  created_at      INTEGER NOT NULL, -- milliseconds since 1970, as all times here
  updated_at      INTEGER NOT NULL,
  folded          INTEGER NOT NULL DEFAULT 0, -- events up to here are in events, later ones in log
  fence           INTEGER NOT NULL DEFAULT 0,
  turns           INTEGER NOT NULL DEFAULT 0, -- that are over
  deleted         INTEGER NOT NULL DEFAULT 0,
  waiting         TEXT, -- "3 7": the user_message of each turn that is not over, as of folded
  UNIQUE (user_id, conversation_id)
);

CREATE INDEX conversations_waiting ON conversations (id) WHERE waiting IS NOT NULL;

-- What outlives its turn.
CREATE TABLE events (
  conv     INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  from_seq INTEGER NOT NULL,
  kind     INTEGER NOT NULL,
  turn     TEXT    NOT NULL,
  body     BLOB    NOT NULL,
  PRIMARY KEY (conv, seq)
) WITHOUT ROWID;

-- The final event of a turn, by the turn's name. 7 is pam.KindComplete.
CREATE INDEX events_final ON events (turn) WHERE kind = 7;

-- Idempotency keys, for ever; key is SHA-256 of user and chat id.
CREATE TABLE chats (
  key             BLOB    PRIMARY KEY,
  conversation_id TEXT    NOT NULL,
  turn            TEXT    NOT NULL,
  seq             INTEGER NOT NULL,
  content         BLOB    NOT NULL
) WITHOUT ROWID;

CREATE TABLE contexts (
  user_id    TEXT    NOT NULL,
  session_id TEXT    NOT NULL,
  body       BLOB    NOT NULL,
  version    INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, session_id)
) WITHOUT ROWID;

CREATE TABLE memories (
  user_id    TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  value      TEXT    NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, key)
) WITHOUT ROWID;
