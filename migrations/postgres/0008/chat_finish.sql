-- Ends a write, before its COMMIT: stores what other services are to be told, and wakes them if there is anything.
-- my_node is 0 for an order without a service. An event whose place is NULL comes after all messages.
CREATE FUNCTION chat_finish(
    my_node bigint, my_batch bigint, place_message bigint, place_event bigint, bodies text[], places bigint[],
    OUT end_message bigint, OUT end_event bigint
) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT $PLANS AS $$
BEGIN
    SELECT last_value INTO end_message FROM message_id;
    end_event := place_event + cardinality(bodies);
    IF my_node <> 0 THEN
        PERFORM chat_note_batch(
            my_node, my_batch, ROW(place_message, place_event, NULL, end_message, NULL, NULL)::posted
        );
    END IF;
    IF end_event > place_event THEN
        PERFORM setval('event_id', end_event);
        INSERT INTO event (id, node_id, place, body)
            SELECT place_event + number, my_node, coalesce(place, end_message), body
            FROM unnest(bodies, places) WITH ORDINALITY AS told (body, place, number);
    END IF;
    IF end_event > place_event OR end_message > place_message THEN
        PERFORM pg_notify('chat_$CHANNEL', '') FROM node WHERE id <> my_node LIMIT 1;
    END IF;
END
$$;
