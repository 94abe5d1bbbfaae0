-- The table that a window's events are copied into before they are merged.
-- sqlc reads it as part of the schema; the store creates it once a session.
CREATE TEMPORARY TABLE staged_event (
    event_id     bigint NOT NULL,
    occurred_at  timestamptz NOT NULL,
    account_key  integer NOT NULL,
    kind_key     integer NOT NULL,
    client_key   integer NOT NULL,
    page_key     integer,
    context_key  integer,
    room_key     integer,
    class        smallint NOT NULL,
    room_source  smallint NOT NULL,
    target       text,
    description  text,
    actor_name   text,
    extra        jsonb
) ON COMMIT DELETE ROWS;
