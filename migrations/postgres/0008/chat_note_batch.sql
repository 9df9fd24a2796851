-- Notes a write of a service, and how it ended: should the answer be lost, its next session finds it. A lost session may
-- still be at work when the next one repeats the write, under a higher number: it is refused. So is a service that
-- others take for dead, as it has no row any more.
CREATE FUNCTION chat_note_batch(my_node bigint, my_batch bigint, done posted) RETURNS bool
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO batch (node_id, number, outcome)
        SELECT id, my_batch, done FROM node WHERE id = my_node
            AND NOT EXISTS (SELECT FROM batch WHERE node_id = my_node AND number >= my_batch);
    IF NOT FOUND THEN
        RAISE 'another has written in the place of this service' USING ERRCODE = 'CHAT1';
    END IF;
    -- A service gives up after a few attempts, each with a number of its own.
    DELETE FROM batch WHERE node_id = my_node AND number < my_batch AND number >= my_batch - 10;
    RETURN true;
END
$$;
