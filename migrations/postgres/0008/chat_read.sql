-- The number of the newest message of the main room, and so of all that were ever sent there.
CREATE FUNCTION chat_head() RETURNS bigint LANGUAGE sql VOLATILE SET search_path FROM CURRENT AS $$SELECT $HEAD$$;

-- Moves the users' markers in the main room to an id that was given, never back; returns how many it has moved.
CREATE FUNCTION chat_read(users bigint[], up_to bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT $PLANS AS $$
#variable_conflict use_column
DECLARE
    place bigint;
    moved bigint;
BEGIN
    SELECT coalesce(
        (SELECT position FROM message WHERE recipient_id IS NULL AND room_id IS NULL AND id <= up_to
            ORDER BY id DESC LIMIT 1),
        (SELECT removed FROM main_room)
    ) INTO place;
    UPDATE marker SET read_id = up_to, read_position = greatest(read_position, place), own_unread = CASE
        WHEN own_unread > 0 THEN own_unread - (
            SELECT count(*) FROM message WHERE sender_id = user_id AND recipient_id IS NULL AND room_id IS NULL
                AND id > read_id AND id <= up_to
        ) ELSE 0 END
        WHERE user_id = ANY (users) AND read_id < up_to;
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END
$$;
