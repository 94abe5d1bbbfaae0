-- +goose Up

CREATE TABLE account (
    portal_id      integer NOT NULL,
    account_key    integer NOT NULL,
    account_id     text NOT NULL,
    name           text NOT NULL DEFAULT '',
    email          text,
    status         smallint NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 4),
    is_guest       boolean NOT NULL DEFAULT false,
    is_owner       boolean NOT NULL DEFAULT false,
    registered_at  timestamptz,
    listed_at      timestamptz,
    event_name     text,
    PRIMARY KEY (portal_id, account_key),
    UNIQUE (portal_id, account_id)
);

COMMENT ON TABLE account IS 'People of a portal (users, guests, deleted ones) and the ids that stand for nobody; kept after deletion';
COMMENT ON COLUMN account.portal_id IS 'Portal of the account';
COMMENT ON COLUMN account.account_key IS 'Key of the account within its portal';
COMMENT ON COLUMN account.account_id IS 'The portal''s own id of the account';
COMMENT ON COLUMN account.name IS 'Display name, from the list of people, else from the last event seen first';
COMMENT ON COLUMN account.email IS 'E-mail address from the list of people; null if never listed';
COMMENT ON COLUMN account.status IS '0 seen as an actor only, 1 active, 2 disabled, 3 deleted (gone from the list of people), 4 invitation not accepted yet';
COMMENT ON COLUMN account.is_guest IS 'True for guests (isVisitor)';
COMMENT ON COLUMN account.is_owner IS 'True for the owner of the portal';
COMMENT ON COLUMN account.registered_at IS 'When the account was made, UTC, from the list of people';
COMMENT ON COLUMN account.listed_at IS 'Portal time, UTC, of the last list of people that had the account; null if none had';
COMMENT ON COLUMN account.event_name IS 'The name that most events of the account were listed with; audit_event.actor_name holds others';

CREATE TABLE kind (
    portal_id    integer NOT NULL,
    kind_key     integer NOT NULL,
    fingerprint  uuid NOT NULL,
    action_id    integer NOT NULL,
    type         smallint,
    product      smallint,
    location     smallint,
    entries      smallint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (portal_id, kind_key),
    UNIQUE (portal_id, fingerprint)
);

COMMENT ON TABLE kind IS 'What the portal lists about the sort of act; depends on the action and the portal''s version';
COMMENT ON COLUMN kind.portal_id IS 'Portal of the events';
COMMENT ON COLUMN kind.kind_key IS 'Key of the kind within its portal';
COMMENT ON COLUMN kind.fingerprint IS 'Hash of all other values, for look-ups';
COMMENT ON COLUMN kind.action_id IS 'Action (actionId), 0 if the event has none';
COMMENT ON COLUMN kind.type IS 'DocSpace''s number of the type of action (actionType)';
COMMENT ON COLUMN kind.product IS 'DocSpace''s number of the product';
COMMENT ON COLUMN kind.location IS 'DocSpace''s number of the location (module before DocSpace 3.5)';
COMMENT ON COLUMN kind.entries IS 'DocSpace''s numbers of the kinds of entry: 1 file, 2 folder, 23 user, 24 group, 25 room, 26 tag, 27 agent';

CREATE TABLE client (
    portal_id    integer NOT NULL,
    client_key   integer NOT NULL,
    fingerprint  uuid NOT NULL,
    ip           text,
    country      text,
    city         text,
    browser      text,
    platform     text,
    PRIMARY KEY (portal_id, client_key),
    UNIQUE (portal_id, fingerprint)
);

COMMENT ON TABLE client IS 'Where acts came from: address, place and browser. All null: the portal did it by itself';
COMMENT ON COLUMN client.portal_id IS 'Portal of the events';
COMMENT ON COLUMN client.client_key IS 'Key of the client within its portal';
COMMENT ON COLUMN client.fingerprint IS 'Hash of all other values, for look-ups';
COMMENT ON COLUMN client.ip IS 'Address as the portal lists it: of IPv6 only the first group';
COMMENT ON COLUMN client.country IS 'English name of the country by the portal''s own look-up; empty if it does not know';
COMMENT ON COLUMN client.city IS 'City by the portal''s own look-up; empty if it does not know';
COMMENT ON COLUMN client.browser IS 'Browser and its version';
COMMENT ON COLUMN client.platform IS 'Operating system and its version';

CREATE TABLE page (
    portal_id    integer NOT NULL,
    page_key     integer NOT NULL,
    fingerprint  uuid NOT NULL,
    url          text NOT NULL,
    PRIMARY KEY (portal_id, page_key),
    UNIQUE (portal_id, fingerprint)
);

COMMENT ON TABLE page IS 'Pages that acts were done on';
COMMENT ON COLUMN page.portal_id IS 'Portal of the events';
COMMENT ON COLUMN page.page_key IS 'Key of the page within its portal';
COMMENT ON COLUMN page.fingerprint IS 'Hash of the URL, for look-ups';
COMMENT ON COLUMN page.url IS 'URL without query, fragment and anything after /s/: these carry secrets';

CREATE TABLE context (
    portal_id    integer NOT NULL,
    context_key  integer NOT NULL,
    fingerprint  uuid NOT NULL,
    context      text NOT NULL,
    title        text,
    is_stale     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (portal_id, context_key),
    UNIQUE (portal_id, fingerprint)
);

CREATE INDEX context_title ON context (portal_id, md5(title)) WHERE title IS NOT NULL;

COMMENT ON TABLE context IS 'Where in the portal acts were done, in words of the portal''s language';
COMMENT ON COLUMN context.portal_id IS 'Portal of the events';
COMMENT ON COLUMN context.context_key IS 'Key of the context within its portal';
COMMENT ON COLUMN context.fingerprint IS 'Hash of the text, for look-ups';
COMMENT ON COLUMN context.context IS 'The text as listed, such as "Rooms: Tender"';
COMMENT ON COLUMN context.title IS 'What follows the first ": ", the title of a room at the event''s time; null if the text names no room';
COMMENT ON COLUMN context.is_stale IS 'True: more is known of who bore the title when, and the events of this context are yet to be judged again';

CREATE TABLE room (
    portal_id         integer NOT NULL,
    room_key          integer NOT NULL,
    is_unresolved     boolean NOT NULL DEFAULT false,
    room_id           text NOT NULL,
    title             text NOT NULL DEFAULT '',
    title_at          timestamptz,
    room_type         smallint,
    is_archived       boolean NOT NULL DEFAULT false,
    is_third_party    boolean NOT NULL DEFAULT false,
    created_at        timestamptz,
    deleted_at        timestamptz,
    listed_at         timestamptz,
    members_since     timestamptz,
    members_at        timestamptz,
    members_read_at   timestamptz,
    members_asked_at  timestamptz,
    members_wanted_at timestamptz,
    unexplained_since timestamptz,
    unreadable_since  timestamptz,
    log_wanted_from   timestamptz,
    log_from          timestamptz,
    log_until         timestamptz,
    log_asked_at      timestamptz,
    log_refused_at    timestamptz,
    PRIMARY KEY (portal_id, room_key),
    UNIQUE (portal_id, is_unresolved, room_id)
);

COMMENT ON TABLE room IS 'Rooms and AI agents, kept after deletion, and titles that events name and no single room bore then';
COMMENT ON COLUMN room.portal_id IS 'Portal of the room';
COMMENT ON COLUMN room.room_key IS 'Key of the room within its portal';
COMMENT ON COLUMN room.is_unresolved IS 'True: no room, only a title that events name and no single room bore then';
COMMENT ON COLUMN room.room_id IS 'The portal''s own id of the room, text; of an unresolved row the title';
COMMENT ON COLUMN room.title IS 'Latest title known';
COMMENT ON COLUMN room.title_at IS 'As of when the title is known, UTC';
COMMENT ON COLUMN room.room_type IS 'DocSpace''s number: 1 forms, 2 editing, 5 custom, 6 public, 8 data room, 9 agent; null if never listed';
COMMENT ON COLUMN room.is_archived IS 'True if the room lay in the archive when last listed';
COMMENT ON COLUMN room.is_third_party IS 'True for rooms in third-party storage, which have no log';
COMMENT ON COLUMN room.created_at IS 'When the room was made, UTC; null if unknown';
COMMENT ON COLUMN room.deleted_at IS 'When the room was deleted, UTC: the event''s time, else the first list that lacked it; null if it exists';
COMMENT ON COLUMN room.listed_at IS 'Portal time, UTC, of the last list of rooms that had it; null if none had';
COMMENT ON COLUMN room.members_since IS 'As of when the first list of members was read, UTC; before it, members are as that list says, walked back through the log';
COMMENT ON COLUMN room.members_at IS 'As of when the last list of members was read, UTC: the end of the events that were read with it; null if none was';
COMMENT ON COLUMN room.members_read_at IS 'Portal time, UTC, when that list was read';
COMMENT ON COLUMN room.members_asked_at IS 'Portal time, UTC, when the portal was last asked for the list, whether or not it showed one';
COMMENT ON COLUMN room.members_wanted_at IS 'Latest event that may have changed the members, UTC: a list that was asked for before it is to be asked for again; null if there was none';
COMMENT ON COLUMN room.unexplained_since IS 'Earliest event, UTC, that changed the members and for which the room''s log has not been asked yet whom it concerns; null if there is none';
COMMENT ON COLUMN room.unreadable_since IS 'Portal time, UTC, since which the portal shows no members of the room; null if it does';
COMMENT ON COLUMN room.log_wanted_from IS 'From when on the room''s log is needed to tell what events do not say, UTC; null if it is not';
COMMENT ON COLUMN room.log_from IS 'Start of the span for which the room''s log has been read, UTC; null if it never was';
COMMENT ON COLUMN room.log_until IS 'End of the span for which the room''s log has been read, UTC';
COMMENT ON COLUMN room.log_asked_at IS 'Portal time, UTC, when the room''s log was last asked for, with or without an answer: who was asked longest ago comes first; null if it never was';
COMMENT ON COLUMN room.log_refused_at IS 'When the portal last refused the room''s log, UTC; null if it did not';

CREATE TABLE room_rename (
    portal_id   integer NOT NULL,
    event_id    bigint NOT NULL,
    room_key    integer NOT NULL,
    renamed_at  timestamptz NOT NULL,
    old_title   text NOT NULL,
    PRIMARY KEY (portal_id, event_id)
);

COMMENT ON TABLE room_rename IS 'Renamings of rooms: between two of them a room bore the old title of the second';
COMMENT ON COLUMN room_rename.portal_id IS 'Portal of the room';
COMMENT ON COLUMN room_rename.event_id IS 'Audit event of the renaming';
COMMENT ON COLUMN room_rename.room_key IS 'Room that was renamed';
COMMENT ON COLUMN room_rename.renamed_at IS 'Time of the event, UTC';
COMMENT ON COLUMN room_rename.old_title IS 'Title until then, from the event''s context';

CREATE TABLE entry (
    portal_id  integer NOT NULL,
    is_folder  boolean NOT NULL,
    entry_id   text NOT NULL,
    ask_at     timestamptz,
    asked_at   timestamptz,
    is_gone    boolean NOT NULL DEFAULT false,
    is_stale   boolean NOT NULL DEFAULT false,
    has_moves  boolean NOT NULL DEFAULT false,
    spreads    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (portal_id, is_folder, entry_id)
);

CREATE INDEX entry_ask ON entry (portal_id, ask_at) WHERE ask_at IS NOT NULL;
CREATE INDEX entry_stale ON entry (portal_id, is_folder, entry_id) WHERE is_stale;
CREATE INDEX entry_moves ON entry (portal_id, entry_id) WHERE has_moves;
CREATE INDEX entry_spreads ON entry (portal_id, entry_id) WHERE spreads;

COMMENT ON TABLE entry IS 'Files and folders whose room matters: events about them name a title that several rooms bore, or moved something into them';
COMMENT ON COLUMN entry.portal_id IS 'Portal of the entry';
COMMENT ON COLUMN entry.is_folder IS 'True for folders, which have ids of their own beside those of files';
COMMENT ON COLUMN entry.entry_id IS 'The portal''s own id of the file or folder';
COMMENT ON COLUMN entry.ask_at IS 'Since when the portal is to be asked where it lies, UTC; in the future if it refused to tell; null: nothing calls for it';
COMMENT ON COLUMN entry.asked_at IS 'Portal time, UTC, when the portal was last asked; once it has answered, only later events call for asking again. Null if it was not';
COMMENT ON COLUMN entry.is_gone IS 'True: the portal answered that there is no such entry; it is not asked again';
COMMENT ON COLUMN entry.is_stale IS 'True: more is known of where it was, and its events are yet to be judged again';
COMMENT ON COLUMN entry.has_moves IS 'True: more is known of moves and copies into it, whose events are yet to be placed';
COMMENT ON COLUMN entry.spreads IS 'True: more is known of where this folder lay when, and what ever lay in it is yet to be marked as stale';

CREATE TABLE entry_event (
    portal_id  integer NOT NULL,
    is_folder  boolean NOT NULL,
    entry_id   text NOT NULL,
    event_id   bigint NOT NULL,
    PRIMARY KEY (portal_id, is_folder, entry_id, event_id)
);

COMMENT ON TABLE entry_event IS 'Events whose room the whereabouts of a file or folder may tell: those under a title that several rooms bore, and moves without a title';
COMMENT ON COLUMN entry_event.portal_id IS 'Portal of the event';
COMMENT ON COLUMN entry_event.is_folder IS 'As in entry';
COMMENT ON COLUMN entry_event.entry_id IS 'The file or folder; of a move or copy the folder that it went to';
COMMENT ON COLUMN entry_event.event_id IS 'The event';

CREATE TABLE entry_sighting (
    portal_id  integer NOT NULL,
    is_folder  boolean NOT NULL,
    entry_id   text NOT NULL,
    seen_at    timestamptz NOT NULL,
    room_key   integer NOT NULL,
    parent_id  text NOT NULL,
    was_asked  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (portal_id, is_folder, entry_id, seen_at, room_key, parent_id)
);

CREATE INDEX entry_sighting_room ON entry_sighting (portal_id, room_key);
CREATE INDEX entry_sighting_parent ON entry_sighting (portal_id, parent_id);

COMMENT ON TABLE entry_sighting IS 'In which room files and folders were seen when, by logs of rooms that share a title and by the portal''s answers';
COMMENT ON COLUMN entry_sighting.portal_id IS 'Portal of the entry';
COMMENT ON COLUMN entry_sighting.is_folder IS 'As in entry';
COMMENT ON COLUMN entry_sighting.entry_id IS 'The portal''s own id of the file or folder';
COMMENT ON COLUMN entry_sighting.seen_at IS 'Portal time, UTC';
COMMENT ON COLUMN entry_sighting.room_key IS 'Room; 0: none, or one that is not known';
COMMENT ON COLUMN entry_sighting.parent_id IS 'Folder that it lay in, the room itself or one below; empty if nobody said';
COMMENT ON COLUMN entry_sighting.was_asked IS 'True: by the portal''s answer, whose moment is exact to about a second; false: by a log';

CREATE TABLE entry_move (
    portal_id    integer NOT NULL,
    is_folder    boolean NOT NULL,
    entry_id     text NOT NULL,
    event_id     bigint NOT NULL,
    parent_id    text NOT NULL,
    is_crossing  boolean NOT NULL,
    PRIMARY KEY (portal_id, is_folder, entry_id, event_id)
);

CREATE INDEX entry_move_parent ON entry_move (portal_id, parent_id);

COMMENT ON TABLE entry_move IS 'Events that moved or copied a file or folder';
COMMENT ON COLUMN entry_move.portal_id IS 'Portal of the event';
COMMENT ON COLUMN entry_move.is_folder IS 'As in entry';
COMMENT ON COLUMN entry_move.entry_id IS 'The file or folder that was moved, of a copy the new one';
COMMENT ON COLUMN entry_move.event_id IS 'The event';
COMMENT ON COLUMN entry_move.parent_id IS 'Folder that it went to';
COMMENT ON COLUMN entry_move.is_crossing IS 'True: into or out of a room, so that nobody may take it to be where it was seen on the other side of that moment; false: within a room or outside of rooms';

CREATE TABLE people_group (
    portal_id   integer NOT NULL,
    group_key   integer NOT NULL,
    group_id    text NOT NULL,
    name        text NOT NULL DEFAULT '',
    read_at     timestamptz,
    asked_at    timestamptz,
    PRIMARY KEY (portal_id, group_key),
    UNIQUE (portal_id, group_id)
);

COMMENT ON TABLE people_group IS 'Groups of people; a group may hold a right in a room';
COMMENT ON COLUMN people_group.portal_id IS 'Portal of the group';
COMMENT ON COLUMN people_group.group_key IS 'Key of the group within its portal';
COMMENT ON COLUMN people_group.group_id IS 'The portal''s own id of the group';
COMMENT ON COLUMN people_group.name IS 'Latest name known';
COMMENT ON COLUMN people_group.read_at IS 'Portal time, UTC, of the last reading of its members; null if none';
COMMENT ON COLUMN people_group.asked_at IS 'Portal time, UTC, when the portal was last asked for them, with or without an answer; null if it never was';

-- +goose Down
DROP TABLE people_group;
DROP TABLE entry_move;
DROP TABLE entry_sighting;
DROP TABLE entry_event;
DROP TABLE entry;
DROP TABLE room_rename;
DROP TABLE room;
DROP TABLE context;
DROP TABLE page;
DROP TABLE client;
DROP TABLE kind;
DROP TABLE account;
