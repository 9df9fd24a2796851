-- Says of each post, in order, whether it is new and may be stored, in which room, and else what becomes of it: as
-- chat_store has its outcomes. New ones get the ids after `last_id`.
CREATE FUNCTION chat_judge(
    last_id bigint, moment text, senders bigint[], recipients bigint[], rooms text[], created text[], kinds text[],
    nonces text[], bodies text[]
) RETURNS TABLE (
    i bigint, sender bigint, recipient bigint, room_id bigint, kind text, nonce text, body text, id bigint, outcome text
) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH post AS (
        SELECT * FROM unnest(senders, recipients, rooms, created, kinds, nonces, bodies)
            WITH ORDINALITY AS post (sender, recipient, room, created, kind, nonce, body, i)
    ), judged AS (
        SELECT p.*, r.id AS room_id, old.id AS old_id, CASE
            WHEN b.until IS NOT NULL THEN json_build_object('banned', b.until)
            WHEN s.id IS NULL OR (s.password_hash = '' AND s.id > 0) OR o.password_hash = '' THEN to_json('user'::text)
            WHEN room IS NULL AND recipient IS NOT NULL THEN NULL
            WHEN room IS NULL THEN
                CASE WHEN s.muted_until > moment THEN json_build_object('muted', s.muted_until) END
            WHEN r.id IS NULL OR s.password_hash = '' OR created <> r.created_at
                OR (r.private AND m.role IS NULL AND v.user_id IS NULL) THEN to_json('room'::text)
            WHEN m.role IS NULL THEN to_json('member'::text)
            WHEN m.muted_until > moment THEN json_build_object('muted', m.muted_until)
        END AS verdict
        FROM post AS p
        LEFT JOIN "user" AS s ON s.id = sender
        LEFT JOIN "user" AS o ON o.id = recipient
        LEFT JOIN ban AS b ON b.user_id = sender AND coalesce(b.room_id, 0) = 0 AND b.until > moment
        LEFT JOIN room AS r ON r.name = room AND r.gone_at IS NULL
        LEFT JOIN member AS m ON m.room_id = r.id AND m.user_id = sender
        LEFT JOIN invitation AS v ON v.room_id = r.id AND v.user_id = sender
        LEFT JOIN message AS old ON old.nonce = p.nonce AND old.sender_id = sender
    ), ranked AS (
        SELECT *, verdict IS NULL AND old_id IS NULL AND (nonce IS NULL OR 1 = row_number()
            OVER (PARTITION BY verdict IS NULL AND old_id IS NULL, sender, nonce ORDER BY i)) AS is_new
        FROM judged
    ), numbered AS MATERIALIZED (
        SELECT *, CASE WHEN is_new THEN last_id + count(*) FILTER (WHERE is_new) OVER (ORDER BY i) END AS id FROM ranked
    ), stored AS (  -- what was stored before with these nonces, or is earlier among these posts
        SELECT n.i, m.id, m.sent_at, m.deleted_at, m.recipient_id AS recipient, m.room_id, o.name AS room, o.created_at,
            m.kind, m.body, NOT EXISTS (SELECT FROM unseen AS u WHERE u.recipient_id = m.recipient_id AND u.id = m.id)
                AND m.recipient_id IS NOT NULL AS is_seen
        FROM numbered AS n JOIN message AS m ON m.id = old_id LEFT JOIN room AS o ON o.id = m.room_id
        UNION ALL
        SELECT n.i, f.id, moment, NULL, f.recipient, f.room_id, f.room, n.created, f.kind, f.body, false
        FROM numbered AS n JOIN numbered AS f ON f.is_new AND f.sender = n.sender AND f.nonce = n.nonce AND f.i < n.i
    )
    SELECT n.i, n.sender, n.recipient, n.room_id, n.kind, n.nonce, n.body, n.id, CASE
        WHEN n.is_new THEN to_json(n.id)
        WHEN s.id IS NULL THEN n.verdict
        WHEN (s.recipient, s.room) IS DISTINCT FROM (n.recipient, n.room) OR n.created <> s.created_at
            OR (s.deleted_at IS NULL AND (s.body, s.kind) IS DISTINCT FROM (n.body, n.kind)) THEN to_json('nonce'::text)
        ELSE json_build_array(s.id, s.sent_at, s.is_seen, s.room_id)
    END::text
    FROM numbered AS n LEFT JOIN stored AS s ON s.i = n.i ORDER BY n.i;
END
$$;
