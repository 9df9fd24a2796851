-- The key of the advisory lock that every write takes first.
CREATE FUNCTION chat_key() RETURNS bigint LANGUAGE sql VOLATILE SET search_path FROM CURRENT AS 'SELECT $KEY';
-- The channel on which services tell each other that there is something new.
CREATE FUNCTION chat_channel() RETURNS text LANGUAGE sql VOLATILE SET search_path FROM CURRENT
    AS $$SELECT 'chat_$CHANNEL'$$;
