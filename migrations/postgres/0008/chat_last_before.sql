-- The id of the last message before a time, 0 if none, by halving: times grow with ids, and have no index.
CREATE FUNCTION chat_last_before(moment text) RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
DECLARE
    low bigint := 0;  -- ids up to it are before that time
    high bigint := coalesce((SELECT max(id) FROM message), 0);  -- those beyond it are not
    middle bigint;
    found record;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT id, sent_at INTO found FROM message WHERE id >= middle ORDER BY id LIMIT 1;
        IF found.id <= high AND found.sent_at < moment THEN
            low := found.id;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END
$$;
