-- Version 3. A frame too large for one commit lies in parts: small webhooks are stored in between.
-- contents.frame is then an integer, the number of its first part.

CREATE TABLE parts (
    number      INTEGER PRIMARY KEY,     -- consecutive; the first is random and divisible by 65536
    bytes       BLOB NOT NULL
);
CREATE INDEX contents_in_parts ON contents (frame) WHERE typeof(frame) = 'integer';
CREATE TRIGGER contents_gone AFTER DELETE ON contents WHEN typeof(old.frame) = 'integer' BEGIN
    DELETE FROM parts WHERE number BETWEEN old.frame AND old.frame + 65535;
END;
