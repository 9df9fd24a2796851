"""A long history over PostgreSQL, made at once by its SQL, to count what is looked at in it. Holds no test."""

from __future__ import annotations

from typing import Final

MESSAGES: Final = 20_000
USERS: Final = 50
ROOMS: Final = 200
# Of ten messages seven are to the main room, two to a room and one is direct; all are old, and seen but for the last.
FILL: Final = f"""
    INSERT INTO "user" (id, name, look, password_hash, created_at)
        SELECT n, 'user' || n, 'user' || n, 'hash of user' || n, chat_now() FROM generate_series(1, {USERS}) AS n;
    INSERT INTO room (id, name, look, topic, private, created_at, members)
        SELECT n, 'room' || n, 'room' || n, '', false, chat_now(), {USERS} FROM generate_series(1, {ROOMS}) AS n;
    INSERT INTO message (id, sender_id, recipient_id, room_id, sent_at, nonce, body)
        SELECT n, 1 + n / 10 % {USERS}, CASE WHEN n % 10 = 0 THEN 1 + n / 100 % {USERS} END,
            CASE WHEN n % 10 > 7 THEN 1 + n / 20 % {ROOMS} END, '2024-01-01T00:00:00.000Z', 'nonce' || n, 'text ' || n
        FROM generate_series(1, {MESSAGES}) AS n;
    UPDATE message SET position = numbered.position FROM (
        SELECT id, row_number() OVER (PARTITION BY room_id ORDER BY id) AS position FROM message
        WHERE recipient_id IS NULL
    ) AS numbered WHERE numbered.id = message.id;
    INSERT INTO seen SELECT id, sent_at FROM message WHERE recipient_id IS NOT NULL AND id < {MESSAGES - 1000};
    INSERT INTO unseen SELECT recipient_id, id, sender_id FROM message
        WHERE recipient_id IS NOT NULL AND id >= {MESSAGES - 1000};
    UPDATE room SET messages = number, last_id = newest FROM (
        SELECT room_id, count(*) AS number, max(id) AS newest FROM message GROUP BY room_id
    ) AS counted WHERE id = room_id;
    INSERT INTO member SELECT r.id, u.id, 'member', '2024-01-01T00:00:00.000Z', NULL, 0, 0
        FROM room AS r, "user" AS u WHERE u.id > 0;
    INSERT INTO marker SELECT id, 0, 0, 0, '' FROM "user" WHERE id > 0;
    SELECT setval('message_id', {MESSAGES});
    VACUUM ANALYZE
"""
