-- Stores a login: of `known_id` with the password that was checked against `known_hash`, or else with a token, which is
-- renewed. A token lives `seconds` after its last use; of an account's tokens the `most_tokens` newest stay.
-- refusal is 'changed', 'disabled', 'token', or 'banned' (then muted_until says until when); nothing is changed then.
-- rooms is JSON: the fields of records.RoomView for each of the account's rooms and invitations, by name.
CREATE FUNCTION chat_log_in(
    known_id bigint, known_name text, known_hash text, token_hash bytea, moment text, seconds bigint,
    most_tokens bigint,
    OUT refusal text, OUT id bigint, OUT name text, OUT missed bigint, OUT unread bigint, OUT last_id bigint,
    OUT role text, OUT read_id bigint, OUT muted_until text, OUT topic text, OUT rooms text
) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT $PLANS AS $$
#variable_conflict use_variable
DECLARE
    is_told bool;
    hash_now text;
    disabled text;
    banned text;
    counted bigint;  -- messages of the main room that need not be read
    tokens bigint;
BEGIN
    id := known_id;
    IF known_id IS NULL THEN
        SELECT t.user_id, t.lifetime INTO id, seconds FROM token AS t
            WHERE t.hash = token_hash AND t.expires_at > moment;
        IF NOT FOUND THEN
            refusal := 'token';
            RETURN;
        END IF;
    END IF;
    SELECT u.name, u.password_hash, u.disabled_at, u.role, CASE WHEN u.muted_until > moment THEN u.muted_until END,
            b.until, m.topic, k.read_id, greatest(k.read_position, m.removed) + k.own_unread
        INTO name, hash_now, disabled, role, muted_until, banned, topic, read_id, counted
        FROM main_room AS m, "user" AS u JOIN marker AS k ON k.user_id = u.id
        LEFT JOIN ban AS b ON b.user_id = u.id AND coalesce(b.room_id, 0) = 0 AND b.until > moment
        WHERE u.id = id;
    refusal := CASE
        WHEN known_id IS NULL THEN CASE WHEN banned IS NOT NULL THEN 'banned' END
        WHEN disabled IS NOT NULL THEN 'disabled'
        WHEN hash_now IS DISTINCT FROM known_hash OR name <> known_name THEN 'changed'
        WHEN banned IS NOT NULL THEN 'banned'
    END;
    IF refusal IS NOT NULL THEN
        muted_until := banned;
        RETURN;
    END IF;
    is_told := chat_note_moment(moment) IS NOT NULL;
    IF token_hash IS NOT NULL THEN
        INSERT INTO token AS t (hash, user_id, created_at, expires_at, lifetime)
            VALUES (token_hash, id, moment, to_char(
                (moment::timestamptz + seconds * interval '1 second') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            ), seconds)
            ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at;
        SELECT count(*) INTO tokens FROM token AS t WHERE t.user_id = id;
        IF tokens > most_tokens THEN
            -- The new one stays: after the clock was set back it seems to be the oldest.
            DELETE FROM token AS t WHERE t.hash IN (
                SELECT o.hash FROM token AS o WHERE o.user_id = id AND o.hash <> token_hash
                ORDER BY o.expires_at::timestamptz - o.lifetime * interval '1 second' DESC OFFSET most_tokens - 1
            );
        END IF;
    END IF;
    UPDATE marker AS k SET last_seen_at = moment WHERE k.user_id = id;
    SELECT (SELECT count(*) FROM unseen AS w WHERE w.recipient_id = id), greatest(0, $HEAD - counted), greatest(
            coalesce((SELECT max(m.id) FROM message AS m WHERE m.recipient_id IS NULL AND m.room_id IS NULL), 0),
            coalesce((SELECT max(m.id) FROM message AS m WHERE m.sender_id = id AND m.recipient_id IS NOT NULL), 0),
            coalesce((SELECT max(m.id) FROM message AS m WHERE m.recipient_id = id), 0)
        ) INTO missed, unread, last_id;
    SELECT json_agg(json_build_array(
            r.id, r.name, r.created_at, r.topic, r.private, r.members, r.last_id, o.role,
            greatest(0, coalesce(r.messages - o.read_position - o.own_unread, 0)), coalesce(o.read_id, 0),
            CASE WHEN o.muted_until > moment THEN o.muted_until END, o.role IS NULL
        ) ORDER BY r.name) INTO rooms
        FROM (
            SELECT b.room_id, b.role, b.read_position, b.own_unread, b.read_id, b.muted_until
                FROM member AS b WHERE b.user_id = id
            UNION ALL
            SELECT i.room_id, NULL, NULL, NULL, NULL, NULL FROM invitation AS i WHERE i.user_id = id
        ) AS o JOIN room AS r ON r.id = o.room_id;
END
$$;
