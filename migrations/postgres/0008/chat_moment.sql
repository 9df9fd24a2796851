-- The newest time that a client may have been told, which a deletion never is before. It is kept in a sequence, in
-- milliseconds: a row would leave an old copy behind for each login while somebody reads an old state.
CREATE FUNCTION chat_moment() RETURNS text LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN to_char(
        to_timestamp(pg_sequence_last_value('moment') / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
    );
END
$$;

-- Notes a time that a client is told. It counts even if the transaction is undone.
CREATE FUNCTION chat_note_moment(moment text) RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
DECLARE
    told bigint := 1000 * extract(epoch FROM moment::timestamptz);
BEGIN
    IF told > pg_sequence_last_value('moment') THEN
        RETURN setval('moment', told);
    END IF;
    RETURN told;
END
$$;
