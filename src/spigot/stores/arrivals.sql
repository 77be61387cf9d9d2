-- How webhooks are stored: INSERT INTO arrivals, one statement for a whole commit. Made anew for the
-- connection that writes; nothing of it is on disk.
--
-- A random delivery id has no place of its own on disk: an index over them would touch another page
-- for each webhook and double what is synced. So the index of those that wait lies in this temporary
-- (in-memory) database, where it commits and rolls back together with the rows. A hit counts only if
-- the very same delivery really waits. Where a replay makes one wait twice, the later counts.

CREATE TEMP TABLE deliveries (key INTEGER PRIMARY KEY, position INTEGER NOT NULL);
CREATE TEMP TABLE known AS SELECT 0 AS position;   -- up to here `waiting` is in the index
CREATE TEMP TABLE duplicates (number INTEGER PRIMARY KEY);   -- of this commit

CREATE TEMP VIEW arrivals (
    number,       -- within the commit, from 0
    id, received_at, method, path, query, hook, provider, event, delivery, lane, size,
    frame,        -- of all webhooks packed together, with the first of them
    start, end,   -- its place there
    key           -- its delivery key
) AS SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL;

CREATE TEMP TRIGGER arrive INSTEAD OF INSERT ON arrivals BEGIN
    -- What waits but did not come through here: a replay; at first, what `Arrivals.index` left.
    REPLACE INTO deliveries SELECT w.delivery, w.position FROM waiting w
        WHERE new.number = 0 AND w.position > (SELECT position FROM known)
        AND w.delivery IS NOT NULL ORDER BY w.position;

    DELETE FROM duplicates WHERE new.number = 0;
    -- note_duplicate is the program's: it hears of each, and returns the number.
    INSERT INTO duplicates SELECT note_duplicate(new.number, w.id)
        FROM deliveries d JOIN waiting q ON q.position = d.position
        JOIN webhooks w ON w.serial = q.serial
        WHERE d.key = new.key AND w.delivery = new.delivery
        AND w.path = new.path AND w.hook = new.hook;

    UPDATE totals SET position = position + 1,
        stored = stored + (new.number NOT IN (SELECT number FROM duplicates)),
        waiting = waiting + (new.number NOT IN (SELECT number FROM duplicates));
    INSERT INTO contents SELECT t.position, new.frame FROM totals t WHERE new.frame IS NOT NULL;

    INSERT INTO webhooks SELECT t.position, new.id, new.received_at, new.method, new.path, new.query,
        new.hook, new.provider, new.event, new.delivery, new.lane, new.size,
        (SELECT max(serial) FROM contents), new.start, new.end
        FROM totals t WHERE new.number NOT IN (SELECT number FROM duplicates);
    INSERT INTO waiting (position, serial, delivery, lane, path)
        SELECT t.position, t.position, new.key, new.lane, new.path
        FROM totals t WHERE new.number NOT IN (SELECT number FROM duplicates);
    REPLACE INTO deliveries SELECT new.key, t.position
        FROM totals t WHERE new.key IS NOT NULL
        AND new.number NOT IN (SELECT number FROM duplicates);

    -- Somebody pressed "Redeliver" on what had died: the new one takes its place.
    UPDATE ended SET resolved_by = new.id
        WHERE new.key IS NOT NULL AND delivery = new.key AND state = 'dead' AND resolved_by IS NULL
        AND new.number NOT IN (SELECT number FROM duplicates);
    UPDATE known SET position = (SELECT position FROM totals);
END;
