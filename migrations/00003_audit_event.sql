-- +goose Up

-- Columns stand widest first, so that rows have no padding.
CREATE TABLE audit_event (
    event_id     bigint NOT NULL,
    occurred_at  timestamptz NOT NULL,
    portal_id    integer NOT NULL,
    run_id       integer NOT NULL,
    account_key  integer NOT NULL,
    kind_key     integer NOT NULL,
    client_key   integer NOT NULL,
    page_key     integer,
    context_key  integer,
    room_key     integer,
    class        smallint NOT NULL CHECK (class BETWEEN -1 AND 3),
    room_source  smallint NOT NULL CHECK (room_source BETWEEN 0 AND 8),
    target       text,
    description  text,
    actor_name   text,
    extra        jsonb,
    PRIMARY KEY (portal_id, event_id)
) WITH (
    fillfactor = 95,
    -- By default a fifth of the table has to be new before it is vacuumed, and a tenth before it is analyzed: months,
    -- when it is large. Rows are frozen on the first visit, since they hardly change any more: otherwise all of them wait
    -- for one vacuum that reads and writes the whole table. See docs/operations.md.
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_freeze_min_age = 0
);

-- A re-attribution changes room_key, room_source and class, and nearly every
-- event lives to see one. No index has these columns, not even in its predicate, and
-- pages keep some room, so that the new version of a row stays on its page and
-- no index has to hear of it (a HOT update). Otherwise rows would wander to the end of
-- the table, and a day's events lie in a thousand places.

-- Finds the events of a span of time: the raw edges of a report, the days to
-- recount, the rows held for a window. By the hour, since keys that are the same for
-- many events take 7 bytes an event, and keys of their own 33. A query has to name the
-- hours of its span beside the span itself.
CREATE INDEX audit_event_hour ON audit_event (portal_id, date_bin('1 hour', occurred_at, 'epoch'));

-- Finds the events to judge again when it becomes known which room bore a
-- title. Few distinct keys: about 7 bytes an event, and none for those without a context.
CREATE INDEX audit_event_context ON audit_event (portal_id, context_key) WHERE context_key IS NOT NULL;

COMMENT ON TABLE audit_event IS 'What a portal''s audit trail listed, each event once';
COMMENT ON COLUMN audit_event.event_id IS 'The portal''s own id of the event';
COMMENT ON COLUMN audit_event.occurred_at IS 'When the portal recorded the act, UTC by the portal''s clock; whole seconds on most portals';
COMMENT ON COLUMN audit_event.portal_id IS 'Portal that listed the event';
COMMENT ON COLUMN audit_event.run_id IS 'Sync run that first read the event; its started_at says when';
COMMENT ON COLUMN audit_event.account_key IS 'Who did it';
COMMENT ON COLUMN audit_event.kind_key IS 'What sort of act it was';
COMMENT ON COLUMN audit_event.client_key IS 'Where it came from';
COMMENT ON COLUMN audit_event.page_key IS 'Page it was done on; null if the portal names none';
COMMENT ON COLUMN audit_event.context_key IS 'Context the portal names; null if none';
COMMENT ON COLUMN audit_event.room_key IS 'Room it belongs to, a real one or an unresolved title; null if none or unknown';
COMMENT ON COLUMN audit_event.class IS 'What it counts as for the actor: -1 nobody''s act, 0 none, 1 view, 2 edit, 3 manage';
COMMENT ON COLUMN audit_event.room_source IS 'How the room is known: 0 no room, 1 payload, 2 target, 3 history, 4 entry, 5 entry (inferred), 6 title (inferred), 7 unresolved title, 8 a move or copy that could not be told from its twin';
COMMENT ON COLUMN audit_event.target IS 'Ids of what it was done to, joined by commas as the portal stores them; null if none';
COMMENT ON COLUMN audit_event.description IS 'The portal''s sentence about the act (action), in the language of the key''s owner';
COMMENT ON COLUMN audit_event.actor_name IS 'Name the actor was listed with, where it differs from account.event_name';
COMMENT ON COLUMN audit_event.extra IS 'Fields of the item that have no column here, a JSON object; null if none';

CREATE TABLE quarantine (
    portal_id    integer NOT NULL,
    sha256       bytea NOT NULL CHECK (length(sha256) = 32),
    body         text NOT NULL,
    reason       text NOT NULL,
    run_id       integer NOT NULL,
    window_from  timestamptz NOT NULL,
    window_to    timestamptz NOT NULL,
    PRIMARY KEY (portal_id, sha256)
);

COMMENT ON TABLE quarantine IS 'Items of the audit trail that could not be decoded, without secrets';
COMMENT ON COLUMN quarantine.portal_id IS 'Portal that listed the item';
COMMENT ON COLUMN quarantine.sha256 IS 'Hash of the item''s bytes as listed';
COMMENT ON COLUMN quarantine.body IS 'The item after redaction';
COMMENT ON COLUMN quarantine.reason IS 'What did not decode';
COMMENT ON COLUMN quarantine.run_id IS 'Sync run that first met the item';
COMMENT ON COLUMN quarantine.window_from IS 'Start of what the windows that listed the item have in common, UTC, included';
COMMENT ON COLUMN quarantine.window_to IS 'End of what the windows that listed the item have in common, UTC, included';

CREATE TABLE history_pending (
    portal_id  integer NOT NULL,
    event_id   bigint NOT NULL,
    room_key   integer NOT NULL,
    PRIMARY KEY (portal_id, event_id)
);

COMMENT ON TABLE history_pending IS 'Entries of rooms'' logs whose audit event is not here yet; a row goes when its event comes';
COMMENT ON COLUMN history_pending.portal_id IS 'Portal of the room';
COMMENT ON COLUMN history_pending.event_id IS 'Audit event, the id of the log''s entry';
COMMENT ON COLUMN history_pending.room_key IS 'Room whose log has it';

-- +goose Down
DROP TABLE history_pending;
DROP TABLE quarantine;
DROP TABLE audit_event;
