-- Stores messages that may be stored, with nonces that are new, under the ids after `last_id`, and notes them: in the
-- rooms, among what their senders need not read, and as unseen. Returns the newest id. Arrays without a value are NULL.
CREATE FUNCTION chat_put(
    last_id bigint, moment text, senders bigint[], recipients bigint[], room_ids bigint[], kinds text[], nonces text[],
    bodies text[]
) RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    newest bigint := setval('message_id', last_id + cardinality(senders));
BEGIN
    -- The main room's head, the number of its newest message, is no counter: each message would leave an old copy of
    -- it behind while somebody reads an old state, as pg_dump does.
    IF recipients IS NULL AND room_ids IS NULL THEN  -- the same as below, in two thirds of the time
        INSERT INTO message (id, sent_at, sender_id, position, kind, nonce, body)
            SELECT chat_put.last_id + i, moment, sender, head + i, kind, nonce, body
            FROM (SELECT $HEAD AS head) AS main_room,
                unnest(senders, kinds, nonces, bodies) WITH ORDINALITY AS post (sender, kind, nonce, body, i);
        UPDATE marker SET own_unread = own_unread + number
            FROM (SELECT sender, count(*) AS number FROM unnest(senders) AS sender GROUP BY sender) AS own
            WHERE user_id = sender;
        RETURN newest;
    END IF;
    INSERT INTO message (id, sent_at, sender_id, recipient_id, room_id, position, kind, nonce, body)
        SELECT chat_put.last_id + i, moment, sender, recipient, room_id,
            CASE WHEN recipient IS NULL THEN
                coalesce(messages, head) + row_number() OVER (PARTITION BY recipient IS NULL, room_id ORDER BY i) END,
            kind, nonce, body
        FROM (SELECT $HEAD AS head) AS main_room,
            unnest(senders, recipients, room_ids, kinds, nonces, bodies)
                WITH ORDINALITY AS post (sender, recipient, room_id, kind, nonce, body, i)
            LEFT JOIN room ON room.id = room_id;
    IF recipients IS NOT NULL THEN
        INSERT INTO unseen (recipient_id, id, sender_id)
            SELECT recipient, chat_put.last_id + i, sender
            FROM unnest(senders, recipients) WITH ORDINALITY AS post (sender, recipient, i)
            WHERE recipient IS NOT NULL;
    END IF;
    IF recipients IS NULL OR array_position(recipients, NULL) IS NOT NULL THEN
        UPDATE marker SET own_unread = own_unread + number FROM (
            SELECT sender, count(*) AS number
            FROM unnest(senders, recipients, room_ids) AS post (sender, recipient, room_id)
            WHERE recipient IS NULL AND room_id IS NULL GROUP BY sender
        ) AS own WHERE user_id = sender;
    END IF;
    IF room_ids IS NOT NULL THEN
        UPDATE member SET own_unread = own_unread + number FROM (
            SELECT room_id AS place, sender, count(*) AS number
            FROM unnest(senders, room_ids) AS post (sender, room_id) WHERE room_id IS NOT NULL GROUP BY room_id, sender
        ) AS own WHERE room_id = place AND user_id = sender;
        UPDATE room SET messages = messages + number, last_id = chat_put.last_id + last FROM (
            SELECT room_id, count(*) AS number, max(i) AS last
            FROM unnest(room_ids) WITH ORDINALITY AS post (room_id, i) WHERE room_id IS NOT NULL GROUP BY room_id
        ) AS sent WHERE id = room_id;
    END IF;
    RETURN newest;
END
$$;
