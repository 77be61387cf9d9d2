-- Version 1. A later version adds a file 0002.sql beside this one; each runs once, in order.
--
-- What a webhook is never changes once it is stored (webhooks). Where it stands is a row of its own:
-- in waiting, while it waits, or in ended. Settling so never rewrites a body, and everything that is
-- asked for often lies in a small table.

CREATE TABLE webhooks (
    serial      INTEGER PRIMARY KEY,     -- the first position it got
    id          TEXT NOT NULL,           -- a ULID
    received_at REAL NOT NULL,           -- UNIX seconds; for people, never for order
    method      TEXT NOT NULL,
    path        TEXT NOT NULL,           -- below Jenkins' context path, as received
    query       TEXT NOT NULL,           -- as received, without the question mark
    hook        TEXT NOT NULL,
    provider    TEXT NOT NULL,
    event       TEXT,
    delivery    TEXT,                    -- the provider's delivery id
    lane        TEXT NOT NULL,
    size        INTEGER NOT NULL,        -- of the body, bytes
    content     INTEGER NOT NULL,        -- where its headers and body are: contents.serial,
    start       INTEGER NOT NULL,        -- from this byte of the unpacked frame
    end         INTEGER NOT NULL         -- to this one
);
CREATE UNIQUE INDEX webhooks_by_id ON webhooks (id);

CREATE TABLE contents (                  -- the headers and bodies of one commit, packed together
    serial      INTEGER PRIMARY KEY,     -- of the first webhook in it
    frame       BLOB NOT NULL            -- zstd: header lines, an empty line, a body; the next
);

CREATE TABLE waiting (
    position    INTEGER PRIMARY KEY,     -- order, given at commit; a replay gets a new one
    serial      INTEGER NOT NULL,
    delivery    INTEGER,                 -- a 64-bit digest of hook, path and delivery id
    lane        TEXT NOT NULL,
    path        TEXT NOT NULL,
    due_at      REAL NOT NULL DEFAULT 0, -- UNIX seconds; 0: at once
    delay       REAL NOT NULL DEFAULT 0, -- seconds that due_at was made from: the longest wait
    attempts    INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX waiting_replayed ON waiting (serial) WHERE serial <> position;

CREATE TABLE ended (
    serial      INTEGER PRIMARY KEY,
    state       TEXT NOT NULL,           -- delivered, dead, dropped
    at          REAL NOT NULL,
    reason      TEXT NOT NULL,
    status      INTEGER NOT NULL,        -- Jenkins' last HTTP status; 0: none
    delivery    INTEGER,
    resolved_by TEXT                     -- of a dead one: the id of the redelivery that replaced it
);
CREATE INDEX ended_done ON ended (at) WHERE state <> 'dead';
CREATE INDEX ended_dead ON ended (at) WHERE state = 'dead';
CREATE INDEX ended_unresolved ON ended (delivery) WHERE state = 'dead' AND resolved_by IS NULL;

CREATE TABLE attempts (
    serial      INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    at          REAL NOT NULL,
    took        REAL NOT NULL,           -- seconds
    happened    TEXT NOT NULL,
    status      INTEGER NOT NULL,
    error       TEXT NOT NULL,
    answer      BLOB NOT NULL,           -- the first kilobyte of what Jenkins answered, unless taken
    verdict     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    counted     INTEGER NOT NULL,
    maybe_taken INTEGER NOT NULL,
    PRIMARY KEY (serial, number)
) WITHOUT ROWID;

CREATE TABLE totals (                    -- one row
    position    INTEGER NOT NULL,        -- the newest given, so that none is given twice
    stored      INTEGER NOT NULL,
    waiting     INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,        -- since the store was made; pruning changes nothing
    edits       INTEGER NOT NULL         -- replays and drops by people
);
INSERT INTO totals VALUES (0, 0, 0, 0, 0);

CREATE TABLE valve (                     -- one row
    is_on       INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    since       REAL NOT NULL,
    until       REAL,
    version     INTEGER NOT NULL
);
INSERT INTO valve VALUES (1, '', unixepoch(), NULL, 0);

CREATE TABLE gateway (                   -- one row: what the running gateway knows, as JSON
    report      TEXT NOT NULL
);
INSERT INTO gateway VALUES ('{}');
