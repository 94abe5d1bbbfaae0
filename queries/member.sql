-- name: SetAccountsListed :exec
-- What the portal's list of people says, as of listed_at. Year 1 is no date.
UPDATE account AS a
SET name = l.name,
    email = nullif(l.email, ''),
    status = l.status,
    is_guest = l.is_guest,
    is_owner = l.is_owner,
    registered_at = nullif(l.registered_at, '0001-01-01 00:00:00+00'),
    listed_at = @listed_at::timestamptz
FROM (
    SELECT
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@names::text[]) AS name,
        unnest(@emails::text[]) AS email,
        unnest(@statuses::smallint[]) AS status,
        unnest(@guests::boolean[]) AS is_guest,
        unnest(@owners::boolean[]) AS is_owner,
        unnest(@registered::timestamptz[]) AS registered_at
) AS l
WHERE a.portal_id = @portal_id AND a.account_key = l.account_key;

-- name: SetAccountsDeleted :execrows
-- People whom earlier lists had and the list of listed_at lacked are deleted.
UPDATE account
SET status = 3
WHERE portal_id = @portal_id AND listed_at < @listed_at::timestamptz AND status <> 3;

-- name: AddGroups :many
WITH wanted AS (
    SELECT unnest(@group_ids::text[]) AS group_id
),
added AS (
    INSERT INTO people_group AS a (portal_id, group_key, group_id)
    SELECT
        @portal_id::integer,
        (SELECT coalesce(max(o.group_key), 0) FROM people_group AS o WHERE o.portal_id = @portal_id::integer)
            + row_number() OVER (ORDER BY w.group_id),
        w.group_id
    FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT 1 FROM people_group AS o WHERE o.portal_id = @portal_id::integer AND o.group_id = w.group_id
    )
    RETURNING a.group_key, a.group_id, a.read_at
)
SELECT group_key, group_id, read_at FROM added
UNION ALL
SELECT o.group_key, o.group_id, o.read_at
FROM people_group AS o
WHERE o.portal_id = @portal_id::integer AND o.group_id = ANY(@group_ids::text[]);

-- name: SetGroupRead :exec
UPDATE people_group
SET name = @name, read_at = @read_at::timestamptz, asked_at = @read_at::timestamptz
WHERE portal_id = @portal_id AND group_key = @group_key;

-- name: ListLastLists :many
-- When the rooms' lists of members were read last, and as of when; rooms of which none was read left out.
SELECT room_key, members_read_at::timestamptz AS members_read_at, members_at::timestamptz AS members_at
FROM room
WHERE portal_id = @portal_id AND room_key = ANY(@room_keys::integer[]) AND members_read_at IS NOT NULL;

-- name: ListLastSightings :many
-- What the lists of members that were read last said, and who has been on an earlier one.
SELECT DISTINCT ON (s.room_key, s.account_key, s.group_key) s.room_key, s.account_key, s.group_key, s.access, s.is_owner
FROM member_sighting AS s
WHERE s.portal_id = @portal_id AND s.room_key = ANY(@room_keys::integer[])
ORDER BY s.room_key, s.account_key, s.group_key, s.read_at DESC;

-- name: ListOpenMemberships :many
-- The memberships that are known not to have ended, of persons and of groups (account_key 0).
SELECT m.room_key, m.account_key, 0 AS group_key, m.access, m.is_owner
FROM room_member AS m
WHERE m.portal_id = @portal_id AND m.room_key = ANY(@room_keys::integer[]) AND m.valid_to = 'infinity'
UNION ALL
SELECT g.room_key, 0, g.group_key, g.access, false
FROM room_group AS g
WHERE g.portal_id = @portal_id AND g.room_key = ANY(@room_keys::integer[]) AND g.valid_to = 'infinity';

-- name: AddSightings :exec
-- Year 1 as before_at is none, or not known to matter. A list can be read twice at one moment.
INSERT INTO member_sighting (portal_id, room_key, account_key, group_key, read_at, as_of, before_at, access, is_owner)
SELECT
    @portal_id::integer, unnest(@room_keys::integer[]), unnest(@account_keys::integer[]), unnest(@group_keys::integer[]),
    unnest(@read_at::timestamptz[]), unnest(@as_of::timestamptz[]), nullif(unnest(@before_at::timestamptz[]), '0001-01-01 00:00:00+00'),
    unnest(@accesses::smallint[]), unnest(@owners::boolean[])
ON CONFLICT (portal_id, room_key, account_key, group_key, read_at) DO UPDATE SET
    access = excluded.access, is_owner = excluded.is_owner;

-- name: ListSightings :many
-- All that lists of members said of the given persons (group_key 0) and groups (account_key 0) in rooms.
SELECT s.room_key, s.account_key, s.group_key, s.read_at, s.as_of, s.before_at, s.access, s.is_owner
FROM (
    SELECT
        unnest(@room_keys::integer[]) AS room_key, unnest(@account_keys::integer[]) AS account_key, unnest(@group_keys::integer[]) AS group_key
) AS h
INNER JOIN member_sighting AS s
    ON s.portal_id = @portal_id AND s.room_key = h.room_key AND s.account_key = h.account_key AND s.group_key = h.group_key
ORDER BY s.room_key, s.account_key, s.group_key, s.read_at;

-- name: ListOwnerKeys :many
-- Everybody who has ever been the owner of one of the rooms, by lists or by its log.
SELECT s.room_key, s.account_key
FROM member_sighting AS s
WHERE s.portal_id = @portal_id AND s.room_key = ANY(@room_keys::integer[]) AND s.is_owner
UNION
SELECT c.room_key, a.account_key
FROM membership_change AS c
INNER JOIN account AS a ON a.portal_id = c.portal_id AND a.account_id = c.account_id
WHERE c.portal_id = @portal_id AND c.room_key = ANY(@room_keys::integer[]) AND c.action_id = ANY(@promotions::integer[]);

-- name: ListMemberChanges :many
-- All that the logs of rooms said of the given persons and groups, and all
-- changes of their owners, with the moments of the audit events: the dates of logs
-- are an hour late in one hour a year.
SELECT
    c.room_key, c.event_id, c.action_id, coalesce(e.occurred_at, c.occurred_at)::timestamptz AS occurred_at,
    coalesce(a.account_key, 0)::integer AS account_key, coalesce(g.group_key, 0)::integer AS group_key
FROM membership_change AS c
LEFT JOIN LATERAL ( -- by the key, also where the planner takes the changes for many
    SELECT o.occurred_at
    FROM audit_event AS o
    WHERE o.portal_id = @portal_id AND o.event_id = c.event_id
    OFFSET 0
) AS e ON true
LEFT JOIN account AS a ON a.portal_id = @portal_id AND a.account_id = c.account_id
LEFT JOIN people_group AS g ON g.portal_id = @portal_id AND g.group_id = c.group_id
WHERE c.portal_id = @portal_id AND c.room_key = ANY(@room_keys::integer[])
    AND (a.account_key = ANY(@account_keys::integer[]) OR g.group_key = ANY(@group_keys::integer[]) OR c.action_id = ANY(@promotions::integer[]))
ORDER BY c.event_id;

-- name: DeleteRoomMembers :exec
DELETE FROM room_member AS m
USING (SELECT unnest(@room_keys::integer[]) AS room_key, unnest(@account_keys::integer[]) AS account_key) AS h
WHERE m.portal_id = @portal_id AND m.room_key = h.room_key AND m.account_key = h.account_key;

-- name: AddRoomMembers :exec
-- Year 1 as the start of a span is -infinity and as its end infinity: Go has no
-- other name for them.
INSERT INTO room_member (portal_id, room_key, account_key, valid_from, valid_to, joined_at, joined_after, access, is_owner)
SELECT
    @portal_id::integer, s.room_key, s.account_key,
    coalesce(nullif(s.valid_from, '0001-01-01 00:00:00+00'), '-infinity'),
    coalesce(nullif(s.valid_to, '0001-01-01 00:00:00+00'), 'infinity'),
    coalesce(nullif(s.joined_at, '0001-01-01 00:00:00+00'), '-infinity'),
    coalesce(nullif(s.joined_after, '0001-01-01 00:00:00+00'), '-infinity'),
    s.access, s.is_owner
FROM (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@valid_from::timestamptz[]) AS valid_from,
        unnest(@valid_to::timestamptz[]) AS valid_to,
        unnest(@joined_at::timestamptz[]) AS joined_at,
        unnest(@joined_after::timestamptz[]) AS joined_after,
        unnest(@accesses::smallint[]) AS access,
        unnest(@owners::boolean[]) AS is_owner
) AS s;

-- name: DeleteRoomGroups :exec
DELETE FROM room_group AS m
USING (SELECT unnest(@room_keys::integer[]) AS room_key, unnest(@group_keys::integer[]) AS group_key) AS h
WHERE m.portal_id = @portal_id AND m.room_key = h.room_key AND m.group_key = h.group_key;

-- name: AddRoomGroups :exec
-- As AddRoomMembers.
INSERT INTO room_group (portal_id, room_key, group_key, valid_from, valid_to, joined_at, joined_after, access)
SELECT
    @portal_id::integer, s.room_key, s.group_key,
    coalesce(nullif(s.valid_from, '0001-01-01 00:00:00+00'), '-infinity'),
    coalesce(nullif(s.valid_to, '0001-01-01 00:00:00+00'), 'infinity'),
    coalesce(nullif(s.joined_at, '0001-01-01 00:00:00+00'), '-infinity'),
    coalesce(nullif(s.joined_after, '0001-01-01 00:00:00+00'), '-infinity'),
    s.access
FROM (
    SELECT
        unnest(@room_keys::integer[]) AS room_key,
        unnest(@group_keys::integer[]) AS group_key,
        unnest(@valid_from::timestamptz[]) AS valid_from,
        unnest(@valid_to::timestamptz[]) AS valid_to,
        unnest(@joined_at::timestamptz[]) AS joined_at,
        unnest(@joined_after::timestamptz[]) AS joined_after,
        unnest(@accesses::smallint[]) AS access
) AS s;

-- name: ListOpenGroupMembers :many
SELECT account_key
FROM group_member
WHERE portal_id = @portal_id AND group_key = @group_key AND valid_to = 'infinity';

-- name: CloseGroupMembers :exec
UPDATE group_member
SET valid_to = greatest(valid_from, @valid_to::timestamptz)
WHERE portal_id = @portal_id AND group_key = @group_key AND account_key = ANY(@account_keys::integer[]) AND valid_to = 'infinity';

-- name: AddGroupMembers :exec
INSERT INTO group_member (portal_id, group_key, account_key, valid_from, joined_after)
SELECT
    @portal_id::integer, @group_key::integer, unnest(@account_keys::integer[]),
    coalesce(nullif(@valid_from::timestamptz, '0001-01-01 00:00:00+00'), '-infinity'),
    coalesce(nullif(@joined_after::timestamptz, '0001-01-01 00:00:00+00'), '-infinity')
ON CONFLICT (portal_id, group_key, account_key, valid_from) DO UPDATE SET valid_to = 'infinity';

-- name: SetRoomMembersRead :exec
UPDATE room AS r
SET members_since = coalesce(r.members_since, @as_of::timestamptz),
    members_at = @as_of::timestamptz,
    members_read_at = l.read_at,
    members_asked_at = l.read_at,
    unreadable_since = NULL
FROM (SELECT unnest(@room_keys::integer[]) AS room_key, unnest(@read_at::timestamptz[]) AS read_at) AS l
WHERE r.portal_id = @portal_id AND r.room_key = l.room_key;

-- name: SetRoomsUnreadable :exec
UPDATE room AS r
SET unreadable_since = coalesce(r.unreadable_since, @as_of::timestamptz), members_asked_at = l.read_at
FROM (SELECT unnest(@room_keys::integer[]) AS room_key, unnest(@read_at::timestamptz[]) AS read_at) AS l
WHERE r.portal_id = @portal_id AND r.room_key = l.room_key;

-- name: AddMembershipChanges :many
-- An empty account_id or group_id is none. Returns whom the changes concern of
-- which that was not known before.
INSERT INTO membership_change AS m (portal_id, event_id, room_key, occurred_at, action_id, actor_id, account_id, group_id)
SELECT
    @portal_id::integer, unnest(@event_ids::bigint[]), unnest(@room_keys::integer[]), unnest(@occurred::timestamptz[]),
    unnest(@action_ids::integer[]), unnest(@actor_ids::text[]),
    nullif(unnest(@account_ids::text[]), ''), nullif(unnest(@group_ids::text[]), '')
ON CONFLICT (portal_id, event_id) DO UPDATE SET
    action_id = excluded.action_id, actor_id = excluded.actor_id, account_id = excluded.account_id, group_id = excluded.group_id
    WHERE m.account_id IS NULL AND m.group_id IS NULL AND coalesce(excluded.account_id, excluded.group_id) IS NOT NULL
RETURNING m.room_key, m.action_id, m.account_id, m.group_id;

-- name: ListGroupsToAsk :many
-- The groups that hold or held a right in a room and have not been read since
-- asked_before, those asked for longest ago first.
SELECT group_id
FROM people_group
WHERE portal_id = @portal_id AND (read_at IS NULL OR read_at < @asked_before::timestamptz)
ORDER BY asked_at NULLS FIRST, group_id;

-- name: SetGroupTried :exec
-- Notes that the portal gave no answer.
UPDATE people_group SET asked_at = @asked_at::timestamptz WHERE portal_id = @portal_id AND group_id = @group_id;

-- name: ListUnexplainedChanges :many
-- Changes of members whose room's log has not been asked whom they concern,
-- newest first, of rooms that exist and have a log. Events are found by their
-- hours since the earliest such change.
SELECT r.room_id, e.event_id, e.occurred_at, k.action_id, a.account_id AS actor_id
FROM room AS r
INNER JOIN audit_event AS e ON e.portal_id = r.portal_id AND e.room_key = r.room_key AND e.room_source = 2
INNER JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
INNER JOIN account AS a ON a.portal_id = e.portal_id AND a.account_key = e.account_key
LEFT JOIN membership_change AS c ON c.portal_id = e.portal_id AND c.event_id = e.event_id
WHERE r.portal_id = @portal_id
    AND (e.occurred_at >= r.unexplained_since) IS TRUE
    AND date_bin('1 hour', e.occurred_at, 'epoch') >= (
        SELECT date_bin('1 hour', min(u.unexplained_since), 'epoch')
        FROM room AS u
        WHERE u.portal_id = @portal_id AND u.listed_at IS NOT NULL AND u.deleted_at IS NULL AND NOT u.is_third_party
    )
    AND r.listed_at IS NOT NULL AND r.deleted_at IS NULL AND NOT r.is_third_party
    AND k.action_id = ANY(@action_ids::integer[])
    AND c.event_id IS NULL
ORDER BY r.room_id, e.occurred_at DESC, e.event_id DESC;
