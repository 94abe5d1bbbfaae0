-- +goose Up

-- Counts of raw events, kept in the transaction that changes the events.
-- Days are UTC days. A class that has no events in a row is null, not zero: it takes no space.

CREATE TABLE room_day (
    portal_id        integer NOT NULL,
    room_key         integer NOT NULL,
    account_key      integer NOT NULL,
    day              date NOT NULL,
    views            integer,
    edits            integer,
    manages          integer,
    view_first_at    timestamptz,
    view_last_at     timestamptz,
    edit_first_at    timestamptz,
    edit_last_at     timestamptz,
    manage_first_at  timestamptz,
    manage_last_at   timestamptz,
    PRIMARY KEY (portal_id, room_key, account_key, day)
);

-- Finds the days of a window and of a check: 7 bytes a row.
CREATE INDEX room_day_day ON room_day (portal_id, day);

COMMENT ON TABLE room_day IS 'Counted events per room, account and UTC day; unresolved titles are rooms here';
COMMENT ON COLUMN room_day.portal_id IS 'Portal of the events';
COMMENT ON COLUMN room_day.room_key IS 'Room, real or unresolved';
COMMENT ON COLUMN room_day.account_key IS 'Who acted';
COMMENT ON COLUMN room_day.day IS 'UTC day';
COMMENT ON COLUMN room_day.views IS 'Events of class view; null if none';
COMMENT ON COLUMN room_day.edits IS 'Events of class edit; null if none';
COMMENT ON COLUMN room_day.manages IS 'Events of class manage; null if none';
COMMENT ON COLUMN room_day.view_first_at IS 'First event of class view that day, UTC';
COMMENT ON COLUMN room_day.view_last_at IS 'Last event of class view that day, UTC';
COMMENT ON COLUMN room_day.edit_first_at IS 'First event of class edit that day, UTC';
COMMENT ON COLUMN room_day.edit_last_at IS 'Last event of class edit that day, UTC';
COMMENT ON COLUMN room_day.manage_first_at IS 'First event of class manage that day, UTC';
COMMENT ON COLUMN room_day.manage_last_at IS 'Last event of class manage that day, UTC';

-- A report of inactive members asks when each of them was active last. Up to the
-- end of the data this table knows; for an earlier end room_day does.
CREATE TABLE room_last (
    portal_id       integer NOT NULL,
    room_key        integer NOT NULL,
    account_key     integer NOT NULL,
    view_last_at    timestamptz,
    edit_last_at    timestamptz,
    manage_last_at  timestamptz,
    PRIMARY KEY (portal_id, room_key, account_key)
-- Each sync writes the rows of the active anew; with room for that their pages keep them, and the key needs no new entry.
) WITH (fillfactor = 70);

COMMENT ON TABLE room_last IS 'Last counted events per room and account; unresolved titles are rooms here';
COMMENT ON COLUMN room_last.portal_id IS 'Portal of the events';
COMMENT ON COLUMN room_last.room_key IS 'Room, real or unresolved';
COMMENT ON COLUMN room_last.account_key IS 'Who acted';
COMMENT ON COLUMN room_last.view_last_at IS 'Last event of class view, UTC; null if none';
COMMENT ON COLUMN room_last.edit_last_at IS 'Last event of class edit, UTC; null if none';
COMMENT ON COLUMN room_last.manage_last_at IS 'Last event of class manage, UTC; null if none';

CREATE TABLE account_day (
    portal_id    integer NOT NULL,
    account_key  integer NOT NULL,
    day          date NOT NULL,
    events       integer NOT NULL,
    last_at      timestamptz NOT NULL,
    PRIMARY KEY (portal_id, account_key, day)
);

-- Finds the days of a check: 7 bytes a row.
CREATE INDEX account_day_day ON account_day (portal_id, day);

COMMENT ON TABLE account_day IS 'Events per account and UTC day anywhere in the portal, whatever they count as';
COMMENT ON COLUMN account_day.portal_id IS 'Portal of the events';
COMMENT ON COLUMN account_day.account_key IS 'Who acted';
COMMENT ON COLUMN account_day.day IS 'UTC day';
COMMENT ON COLUMN account_day.events IS 'Events that day, nobody''s acts (class -1) left out';
COMMENT ON COLUMN account_day.last_at IS 'Last of them, UTC';

CREATE TABLE account_last (
    portal_id    integer NOT NULL,
    account_key  integer NOT NULL,
    last_at      timestamptz NOT NULL,
    PRIMARY KEY (portal_id, account_key)
) WITH (fillfactor = 70); -- as room_last

COMMENT ON TABLE account_last IS 'Last event per account anywhere in the portal, whatever it counts as';
COMMENT ON COLUMN account_last.portal_id IS 'Portal of the events';
COMMENT ON COLUMN account_last.account_key IS 'Who acted';
COMMENT ON COLUMN account_last.last_at IS 'Last event, nobody''s acts (class -1) left out, UTC';

-- By the hour, so that a window's ragged edges cost no more than an hour's raw events each.
CREATE TABLE event_hour (
    portal_id    integer NOT NULL,
    hour         timestamptz NOT NULL,
    room_source  smallint NOT NULL,
    class        smallint NOT NULL,
    events       integer NOT NULL,
    PRIMARY KEY (portal_id, hour, room_source, class)
);

COMMENT ON TABLE event_hour IS 'Events per hour by how their room is known and what they count as; serves the data quality lines';
COMMENT ON COLUMN event_hour.portal_id IS 'Portal of the events';
COMMENT ON COLUMN event_hour.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN event_hour.room_source IS 'As audit_event.room_source';
COMMENT ON COLUMN event_hour.class IS 'As audit_event.class';
COMMENT ON COLUMN event_hour.events IS 'Number of events';

-- Of the whole days of a window this is one row where event_hour has some twenty-four.
CREATE TABLE event_day (
    portal_id    integer NOT NULL,
    day          date NOT NULL,
    room_source  smallint NOT NULL,
    class        smallint NOT NULL,
    events       integer NOT NULL,
    PRIMARY KEY (portal_id, day, room_source, class)
);

COMMENT ON TABLE event_day IS 'The counts of event_hour by UTC day';
COMMENT ON COLUMN event_day.portal_id IS 'Portal of the events';
COMMENT ON COLUMN event_day.day IS 'UTC day';
COMMENT ON COLUMN event_day.room_source IS 'As audit_event.room_source';
COMMENT ON COLUMN event_day.class IS 'As audit_event.class';
COMMENT ON COLUMN event_day.events IS 'Number of events';

-- +goose Down
DROP TABLE event_day;
DROP TABLE event_hour;
DROP TABLE account_last;
DROP TABLE account_day;
DROP TABLE room_last;
DROP TABLE room_day;
