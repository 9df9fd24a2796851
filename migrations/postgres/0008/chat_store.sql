-- Stores posts of several senders in order, each once: takes the lock, judges, stores, notes the batch of its node, and
-- wakes the other nodes, all in one round trip. A node_id of 0 is that of a program that is no service; it is NULL within
-- a transaction that notes the batch and wakes others itself.
-- outcomes is NULL where all are new; else it has, in JSON, one entry for each:
--     id                              stored; room_ids has its room
--     [id, time, seen, room's id]     stored before
--     "nonce", "user", "room", "member"    refused: NonceReused, UnknownUser, UnknownRoom, NotAMember
--     {"muted": until}, {"banned": until}
CREATE FUNCTION chat_store(
    node_id bigint, number bigint, senders bigint[], recipients bigint[], rooms text[], created text[], kinds text[],
    nonces text[], bodies text[]
) RETURNS posted LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT $PLANS AS $$
#variable_conflict use_column
DECLARE
    -- Expressions like these take a microsecond, statements ten.
    is_locked bool := pg_advisory_xact_lock($KEY) IS NULL;
    last_id bigint := pg_sequence_last_value('message_id');
    now text COLLATE "C" := chat_now();
    room_ids bigint[];
    done posted;
    is_plain bool;
    is_heard bool;
    is_noted bool;
BEGIN
    -- Is anybody of them muted, banned from the main room or closed? The server's account, -1, is closed and speaks.
    SELECT NOT EXISTS (SELECT FROM "user" WHERE muted_until > now AND id = ANY (senders))
            AND NOT EXISTS (SELECT FROM "user" WHERE password_hash = '' AND id = ANY (senders || recipients) AND id > 0)
            AND NOT EXISTS (SELECT FROM ban
                WHERE coalesce(room_id, 0) = 0 AND until > now AND user_id = ANY (senders)),
        EXISTS (SELECT FROM node WHERE id <> node_id)
        INTO is_plain, is_heard;
    done.place_message := last_id;
    done.place_event := pg_sequence_last_value('event_id');
    done.moment := now;
    done.first_id := last_id + 1;
    IF is_plain AND rooms IS NOT NULL THEN  -- are all of them members, who may write there?
        SELECT array_agg(room.id ORDER BY i), bool_and(place IS NULL OR (user_id IS NOT NULL
                AND coalesce(muted_until <= now, true) AND coalesce(created = created_at, true)))
            INTO done.room_ids, is_plain
            FROM unnest(senders, rooms, created) WITH ORDINALITY AS post (sender, place, created, i)
            LEFT JOIN room ON name = place AND gone_at IS NULL
            LEFT JOIN member ON room_id = room.id AND user_id = sender;
    END IF;
    IF is_plain THEN
        BEGIN
            last_id := chat_put(last_id, now, senders, recipients, done.room_ids, kinds, nonces, bodies);
        EXCEPTION WHEN unique_violation THEN  -- a nonce; all of the above is undone
            is_plain := false;
        END;
    END IF;
    IF NOT is_plain THEN
        SELECT array_agg(sender) FILTER (WHERE is_new),
            CASE WHEN recipients IS NOT NULL THEN array_agg(recipient) FILTER (WHERE is_new) END,
            CASE WHEN rooms IS NOT NULL THEN array_agg(room_id) FILTER (WHERE is_new) END,
            array_agg(kind) FILTER (WHERE is_new), array_agg(nonce) FILTER (WHERE is_new),
            array_agg(body) FILTER (WHERE is_new), CASE WHEN rooms IS NOT NULL THEN array_agg(room_id) END,
            CASE WHEN NOT bool_and(is_new) THEN concat('[', string_agg(outcome, ','), ']') END
            INTO senders, recipients, room_ids, kinds, nonces, bodies, done.room_ids, done.outcomes
            FROM (
                SELECT *, id IS NOT NULL AS is_new
                FROM chat_judge(last_id, now, senders, recipients, rooms, created, kinds, nonces, bodies)
            ) AS judged;
        IF senders IS NOT NULL THEN
            last_id := chat_put(last_id, now, senders, recipients, room_ids, kinds, nonces, bodies);
        END IF;
    END IF;
    is_noted := CASE WHEN node_id > 0 THEN chat_note_batch(node_id, number, done) END;
    is_heard := is_heard AND pg_notify('chat_$CHANNEL', '') IS NULL;
    RETURN done;
END
$$;
