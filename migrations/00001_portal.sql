-- +goose Up

-- Every table that grows has a primary key that begins with portal_id, so that
-- one database serves many portals and the schema distributes on Citus by
-- portal_id. portal and action are small and the same for all: reference
-- tables. There are no foreign keys on facts: their checks cost as much as the
-- load itself, and one writer keeps the keys right.
-- Surrogate keys end in _key. They are given per portal by that one writer:
-- no sequence is shared between portals.

CREATE TABLE portal (
    portal_id         integer PRIMARY KEY,
    host              text NOT NULL UNIQUE,
    owner_account_id  text UNIQUE,
    floor_at          timestamptz,
    floor_is_oldest   boolean NOT NULL DEFAULT true,
    closed_until      timestamptz,
    created_at        timestamptz NOT NULL
);

COMMENT ON TABLE portal IS 'DocSpace portals whose audit trail is kept here';
COMMENT ON COLUMN portal.portal_id IS 'Key of the portal in this database';
COMMENT ON COLUMN portal.host IS 'Base URL of the portal, such as https://acme.onlyoffice.com';
COMMENT ON COLUMN portal.owner_account_id IS 'Account id of the portal''s owner: recognizes a portal that has moved to another host';
COMMENT ON COLUMN portal.floor_at IS 'How far back sync goes, UTC; null before the first sync';
COMMENT ON COLUMN portal.floor_is_oldest IS 'True: sync goes back to the oldest event the portal has; false: sync --since set floor_at';
COMMENT ON COLUMN portal.closed_until IS 'Set by sync --after-restore: the portal lists what is older under new ids, so nothing before is asked for again, UTC; null if it never was restored';
COMMENT ON COLUMN portal.created_at IS 'When roompulse first synced the portal, UTC, by its own clock';

CREATE TABLE action (
    action_id   integer PRIMARY KEY,
    name        text,
    product     text,
    location    text,
    type        text,
    entries     text[] NOT NULL DEFAULT '{}',
    is_tracked  boolean NOT NULL DEFAULT false,
    class       smallint NOT NULL DEFAULT 0 CHECK (class BETWEEN 0 AND 3),
    is_known    boolean NOT NULL
);

COMMENT ON TABLE action IS 'Kinds of act in the audit trail; filled from roompulse''s own list by migrate, unknown ids are added by sync';
COMMENT ON COLUMN action.action_id IS 'DocSpace''s number of the action (actionId)';
COMMENT ON COLUMN action.name IS 'DocSpace''s name of the action; null if unknown';
COMMENT ON COLUMN action.product IS 'Part of DocSpace: Documents, Contacts, Settings, Login; null if the audit API does not list the action';
COMMENT ON COLUMN action.location IS 'Part of the product: Files, Folders, Rooms, Agents, ...';
COMMENT ON COLUMN action.type IS 'Create, Update, Delete, Download, Move, ...';
COMMENT ON COLUMN action.entries IS 'What such acts concern: File, Folder, Room, User, ...';
COMMENT ON COLUMN action.is_tracked IS 'True: the log of a room has it as well';
COMMENT ON COLUMN action.class IS 'What such an act usually counts as: 0 none, 1 view, 2 edit, 3 manage; an event''s own class is stored with the event';
COMMENT ON COLUMN action.is_known IS 'False: the id was met in a portal''s trail and is not in roompulse''s list';

-- +goose Down
DROP TABLE action;
DROP TABLE portal;
