-- Version 2. What Jenkins took shortly before a restart may wait once more, at its first position.

ALTER TABLE waiting ADD COLUMN recalled INTEGER NOT NULL DEFAULT 0;  -- Jenkins may have forgotten it
