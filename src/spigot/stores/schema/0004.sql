-- Version 4. What pull requests were told of their webhooks, and what they have still to hear.

CREATE TABLE notices (
    place       TEXT NOT NULL UNIQUE,    -- octo/hello@<sha> for a status, octo/hello#<number> for a comment
    repository  TEXT NOT NULL,
    number      INTEGER NOT NULL,        -- of the pull request
    sha         TEXT NOT NULL,           -- of its head, as its newest webhook has it
    told        TEXT NOT NULL,           -- the state that was told last; empty: none
    comment     INTEGER NOT NULL,        -- the comment's id; 0: none
    tries       INTEGER NOT NULL,        -- at what is to be told now
    due_at      REAL,                    -- UNIX seconds; NULL: nothing is to be told
    error       TEXT NOT NULL
);
CREATE INDEX notices_by_number ON notices (repository, number);
CREATE INDEX notices_due ON notices (told = '', due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notices_open ON notices (place) WHERE due_at IS NULL AND told <> 'delivered';

CREATE TABLE noticed (                   -- the webhooks that a notice is about
    serial      INTEGER PRIMARY KEY,
    place       TEXT NOT NULL
);
CREATE INDEX noticed_by_place ON noticed (place);

-- A notice lives as long as one of its webhooks is kept.
CREATE TRIGGER webhook_pruned AFTER DELETE ON webhooks BEGIN
    DELETE FROM noticed WHERE serial = old.serial;
END;
CREATE TRIGGER noticed_gone AFTER DELETE ON noticed BEGIN
    DELETE FROM notices WHERE place = old.place
        AND NOT EXISTS (SELECT 1 FROM noticed WHERE place = old.place);
END;
CREATE TRIGGER notice_gone AFTER DELETE ON notices BEGIN
    DELETE FROM noticed WHERE place = old.place;
END;
