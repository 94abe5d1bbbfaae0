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

-- The days of room_day once more, a bit each. One row a year tells who was active
-- in a window where room_day has a row for each day.
CREATE TABLE room_year (
    portal_id    integer NOT NULL,
    year         smallint NOT NULL,
    room_key     integer NOT NULL,
    account_key  integer NOT NULL,
    view_days    bit(366),
    edit_days    bit(366),
    manage_days  bit(366),
    PRIMARY KEY (portal_id, year, room_key, account_key)
-- A row is written anew for each day that it gets; with room for that its page keeps it, and the key needs no new entry.
) WITH (fillfactor = 60);

COMMENT ON TABLE room_year IS 'UTC days with counted events per room, account and year; unresolved titles are rooms here';
COMMENT ON COLUMN room_year.portal_id IS 'Portal of the events';
COMMENT ON COLUMN room_year.year IS 'Year of the UTC days';
COMMENT ON COLUMN room_year.room_key IS 'Room, real or unresolved';
COMMENT ON COLUMN room_year.account_key IS 'Who acted';
COMMENT ON COLUMN room_year.view_days IS 'Days of the year with events of class view, 1 January leftmost; null if none';
COMMENT ON COLUMN room_year.edit_days IS 'Days of the year with events of class edit, 1 January leftmost; null if none';
COMMENT ON COLUMN room_year.manage_days IS 'Days of the year with events of class manage, 1 January leftmost; null if none';

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

CREATE TABLE event_day (
    portal_id    integer NOT NULL,
    day          date NOT NULL,
    room_source  smallint NOT NULL,
    class        smallint NOT NULL,
    events       bigint NOT NULL,
    PRIMARY KEY (portal_id, day, room_source, class)
);

COMMENT ON TABLE event_day IS 'Events per UTC day by how their room is known and what they count as; serves the data quality lines';
COMMENT ON COLUMN event_day.portal_id IS 'Portal of the events';
COMMENT ON COLUMN event_day.day IS 'UTC day';
COMMENT ON COLUMN event_day.room_source IS 'As audit_event.room_source';
COMMENT ON COLUMN event_day.class IS 'As audit_event.class';
COMMENT ON COLUMN event_day.events IS 'Number of events';

-- +goose Down
DROP TABLE event_day;
DROP TABLE account_day;
DROP TABLE room_year;
DROP TABLE room_day;
