-- How attempts are recorded and carried out: INSERT INTO settlements, one statement for a whole commit,
-- the only place where an attempt changes a webhook's state. Made anew for the connection that writes,
-- after arrivals.sql; nothing of it is on disk.

CREATE TEMP VIEW settlements (
    id, position,
    at, took, happened, status, error, answer, verdict, reason, counted, maybe_taken,
    state,           -- delivered or dead; NULL if it waits on
    due_at, delay    -- of one that waits on
) AS SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;

CREATE TEMP TRIGGER settle INSTEAD OF INSERT ON settlements BEGIN
    INSERT INTO attempts SELECT w.serial,
        1 + (SELECT coalesce(max(number), 0) FROM attempts a WHERE a.serial = w.serial),
        new.at, new.took, new.happened, new.status, new.error, new.answer, new.verdict, new.reason,
        new.counted, new.maybe_taken
        FROM webhooks w WHERE w.id = new.id;

    -- One that a person dropped meanwhile is not in `waiting` any more, and stays as it is.
    UPDATE waiting SET due_at = new.due_at, delay = new.delay, attempts = attempts + new.counted
        WHERE new.state IS NULL AND position = new.position;
    INSERT INTO ended
        SELECT q.serial, new.state, new.at + new.took, new.reason, new.status, q.delivery, NULL
        FROM waiting q WHERE new.state IS NOT NULL AND q.position = new.position;
    UPDATE totals SET waiting = waiting - 1, delivered = delivered + (new.state = 'delivered')
        WHERE new.state IS NOT NULL
        AND EXISTS (SELECT 1 FROM waiting WHERE position = new.position);
    DELETE FROM deliveries WHERE new.state IS NOT NULL AND position = new.position
        AND key = (SELECT delivery FROM waiting WHERE position = new.position);
    DELETE FROM waiting WHERE new.state IS NOT NULL AND position = new.position;
END;
