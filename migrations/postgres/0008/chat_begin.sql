-- Begins a write: takes the lock that orders all of them, and tells how far messages and events had come.
CREATE FUNCTION chat_begin(OUT place_message bigint, OUT place_event bigint)
    LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock($KEY);
    SELECT m.last_value, e.last_value INTO place_message, place_event FROM message_id AS m, event_id AS e;
END
$$;
