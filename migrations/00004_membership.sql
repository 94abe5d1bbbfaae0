-- +goose Up

-- room_member and room_group are worked out from member_sighting, what lists of
-- members said, and membership_change, what logs of rooms said; see
-- internal/membership. Spans are [valid_from, valid_to). A span begins at
-- -infinity where nothing says since when.

CREATE TABLE room_member (
    portal_id    integer NOT NULL,
    room_key     integer NOT NULL,
    account_key  integer NOT NULL,
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz NOT NULL DEFAULT 'infinity',
    joined_at    timestamptz NOT NULL,
    joined_after timestamptz NOT NULL,
    access       smallint NOT NULL,
    is_owner     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (portal_id, room_key, account_key, valid_from)
);

COMMENT ON TABLE room_member IS 'People with a right of their own in a room, over time';
COMMENT ON COLUMN room_member.portal_id IS 'Portal of the room';
COMMENT ON COLUMN room_member.room_key IS 'Room';
COMMENT ON COLUMN room_member.account_key IS 'Member';
COMMENT ON COLUMN room_member.valid_from IS 'First moment the right is known to hold, UTC; -infinity: since before it was first listed';
COMMENT ON COLUMN room_member.valid_to IS 'First moment it is known to hold no more, UTC; infinity: it holds';
COMMENT ON COLUMN room_member.joined_at IS 'Start of the membership, whatever rights it has had since, UTC; as exact as valid_from';
COMMENT ON COLUMN room_member.joined_after IS 'Last moment it is known not to have begun yet, UTC; equals joined_at where the moment is known';
COMMENT ON COLUMN room_member.access IS 'DocSpace''s number of the right: 1 owner, 2 viewer, 5 reviewer, 6 commenter, 7 form filler, 8 custom filter, 9 room manager, 10 editor, 11 content creator; 0 unknown: no list ever had it';
COMMENT ON COLUMN room_member.is_owner IS 'True for the owner of the room';

CREATE TABLE room_group (
    portal_id    integer NOT NULL,
    room_key     integer NOT NULL,
    group_key    integer NOT NULL,
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz NOT NULL DEFAULT 'infinity',
    joined_at    timestamptz NOT NULL,
    joined_after timestamptz NOT NULL,
    access       smallint NOT NULL,
    PRIMARY KEY (portal_id, room_key, group_key, valid_from)
);

COMMENT ON TABLE room_group IS 'Groups with a right in a room, over time';
COMMENT ON COLUMN room_group.portal_id IS 'Portal of the room';
COMMENT ON COLUMN room_group.room_key IS 'Room';
COMMENT ON COLUMN room_group.group_key IS 'Group';
COMMENT ON COLUMN room_group.valid_from IS 'First moment the right is known to hold, UTC; -infinity: since before it was first listed';
COMMENT ON COLUMN room_group.valid_to IS 'First moment it is known to hold no more, UTC; infinity: it holds';
COMMENT ON COLUMN room_group.joined_at IS 'Start of the membership, whatever rights it has had since, UTC; as exact as valid_from';
COMMENT ON COLUMN room_group.joined_after IS 'Last moment it is known not to have begun yet, UTC; equals joined_at where the moment is known';
COMMENT ON COLUMN room_group.access IS 'DocSpace''s number of the right, as in room_member';

CREATE TABLE group_member (
    portal_id    integer NOT NULL,
    group_key    integer NOT NULL,
    account_key  integer NOT NULL,
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz NOT NULL DEFAULT 'infinity',
    joined_after timestamptz NOT NULL,
    PRIMARY KEY (portal_id, group_key, account_key, valid_from)
);

COMMENT ON TABLE group_member IS 'People of a group, over time; the system group Everyone has no rows';
COMMENT ON COLUMN group_member.portal_id IS 'Portal of the group';
COMMENT ON COLUMN group_member.group_key IS 'Group';
COMMENT ON COLUMN group_member.account_key IS 'Member';
COMMENT ON COLUMN group_member.valid_from IS 'First moment they are known to belong to it, UTC; -infinity: since before it was first read';
COMMENT ON COLUMN group_member.valid_to IS 'First moment they are known to belong to it no more, UTC; infinity: they do';
COMMENT ON COLUMN group_member.joined_after IS 'Last moment they are known not to have belonged to it yet, UTC; equals valid_from where the moment is known';

CREATE TABLE member_sighting (
    portal_id    integer NOT NULL,
    room_key     integer NOT NULL,
    account_key  integer NOT NULL,
    group_key    integer NOT NULL,
    read_at      timestamptz NOT NULL,
    as_of        timestamptz NOT NULL,
    before_at    timestamptz,
    access       smallint NOT NULL,
    is_owner     boolean NOT NULL,
    PRIMARY KEY (portal_id, room_key, account_key, group_key, read_at)
);

COMMENT ON TABLE member_sighting IS 'What a list of a room''s members said of a person or a group that was not known from the list before or from the log, or that changes which came to be known later contradict';
COMMENT ON COLUMN member_sighting.portal_id IS 'Portal of the room';
COMMENT ON COLUMN member_sighting.room_key IS 'Room';
COMMENT ON COLUMN member_sighting.account_key IS 'Person; 0: it is about a group';
COMMENT ON COLUMN member_sighting.group_key IS 'Group; 0: it is about a person';
COMMENT ON COLUMN member_sighting.read_at IS 'Portal time, UTC, when the list was read';
COMMENT ON COLUMN member_sighting.as_of IS 'When a change that only lists show counts as made, UTC: the end of the events that were read with the list';
COMMENT ON COLUMN member_sighting.before_at IS 'Portal time, UTC, when the list before was read; null for the first list, and for one that said nothing new until changes came to be known that it contradicts';
COMMENT ON COLUMN member_sighting.access IS 'DocSpace''s number of the right, as in room_member; 0: not on the list';
COMMENT ON COLUMN member_sighting.is_owner IS 'True for the owner of the room';

CREATE TABLE membership_change (
    portal_id    integer NOT NULL,
    event_id     bigint NOT NULL,
    room_key     integer NOT NULL,
    occurred_at  timestamptz NOT NULL,
    action_id    integer NOT NULL,
    actor_id     text NOT NULL,
    account_id   text,
    group_id     text,
    PRIMARY KEY (portal_id, event_id)
);

CREATE INDEX membership_change_room ON membership_change (portal_id, room_key);

COMMENT ON TABLE membership_change IS 'Changes of members as the logs of rooms tell them, one row for each event that a log was asked about; the audit event of the same id names the room only';
COMMENT ON COLUMN membership_change.portal_id IS 'Portal of the room';
COMMENT ON COLUMN membership_change.event_id IS 'Audit event of the change';
COMMENT ON COLUMN membership_change.room_key IS 'Room';
COMMENT ON COLUMN membership_change.occurred_at IS 'When, UTC';
COMMENT ON COLUMN membership_change.action_id IS 'Action: 5075 right changed, 5084 removed, 5085 added, 5094, 5095, 5096 the same for groups, 5159 owner changed';
COMMENT ON COLUMN membership_change.actor_id IS 'Account id of who did it';
COMMENT ON COLUMN membership_change.account_id IS 'Account id of whom it concerns; null if it concerns a group, or if the log does not have the event';
COMMENT ON COLUMN membership_change.group_id IS 'Id of the group it concerns; null if it concerns a person';

CREATE VIEW room_group_member AS
SELECT
    g.portal_id, g.room_key, p.account_key, g.group_key, g.access,
    greatest(g.valid_from, p.valid_from) AS valid_from,
    least(g.valid_to, p.valid_to) AS valid_to,
    CASE WHEN '-infinity' IN (g.joined_at, p.valid_from) THEN '-infinity' ELSE greatest(g.joined_at, p.valid_from) END AS joined_at,
    greatest(g.joined_after, p.joined_after) AS joined_after
FROM room_group AS g
INNER JOIN group_member AS p
    ON p.portal_id = g.portal_id AND p.group_key = g.group_key
    AND p.valid_from < g.valid_to AND p.valid_to > g.valid_from
UNION ALL
-- The system group Everyone: all active accounts but guests.
SELECT
    g.portal_id, g.room_key, a.account_key, g.group_key, g.access,
    greatest(g.valid_from, a.registered_at),
    g.valid_to,
    CASE WHEN g.joined_at = '-infinity' THEN '-infinity' ELSE greatest(g.joined_at, a.registered_at) END,
    greatest(g.joined_after, a.registered_at)
FROM room_group AS g
INNER JOIN people_group AS pg
    ON pg.portal_id = g.portal_id AND pg.group_key = g.group_key AND pg.group_id = 'c5cc67d1-c3e8-43c0-a3ad-3928ae3e5b5e'
INNER JOIN account AS a
    ON a.portal_id = g.portal_id AND a.status = 1 AND NOT a.is_guest
    AND coalesce(a.registered_at, '-infinity') < g.valid_to;

COMMENT ON VIEW room_group_member IS 'People with a right in a room through a group, over time: a row for each group';
COMMENT ON COLUMN room_group_member.portal_id IS 'Portal of the room';
COMMENT ON COLUMN room_group_member.room_key IS 'Room';
COMMENT ON COLUMN room_group_member.account_key IS 'Member';
COMMENT ON COLUMN room_group_member.group_key IS 'Group that has the right; the system group Everyone stands for all accounts that are active by now and no guests';
COMMENT ON COLUMN room_group_member.access IS 'DocSpace''s number of the right, as in room_member';
COMMENT ON COLUMN room_group_member.valid_from IS 'As in room_member';
COMMENT ON COLUMN room_group_member.valid_to IS 'As in room_member';
COMMENT ON COLUMN room_group_member.joined_at IS 'As in room_member, of the membership through this group';
COMMENT ON COLUMN room_group_member.joined_after IS 'As in room_member, of the membership through this group';

-- +goose Down
DROP VIEW room_group_member;
DROP TABLE membership_change;
DROP TABLE member_sighting;
DROP TABLE group_member;
DROP TABLE room_group;
DROP TABLE room_member;
