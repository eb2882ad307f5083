-- About how many bytes the dead letters take.
CREATE TABLE dead_letter_size (
    id integer PRIMARY KEY CHECK (id = 1),
    bytes integer NOT NULL
);
INSERT INTO dead_letter_size (id, bytes)
    SELECT 1, coalesce(sum(length(fields) + length(error)), 0) FROM dead_letter_entries;
CREATE TRIGGER dead_letter_added AFTER INSERT ON dead_letter_entries BEGIN
    UPDATE dead_letter_size SET bytes = bytes + length(new.fields) + length(new.error);
END;
CREATE TRIGGER dead_letter_removed AFTER DELETE ON dead_letter_entries BEGIN
    UPDATE dead_letter_size SET bytes = bytes - length(old.fields) - length(old.error);
END;
