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
        SELECT FROM people_group AS o WHERE o.portal_id = @portal_id::integer AND o.group_id = w.group_id
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
SET name = @name, read_at = @read_at::timestamptz
WHERE portal_id = @portal_id AND group_key = @group_key;

-- name: GetRoomMembersAt :one
-- When the room's list of members was read last.
SELECT members_at FROM room WHERE portal_id = @portal_id AND room_key = @room_key;

-- name: ListOpenRoomMembers :many
-- The members that a room has by the last list read.
SELECT account_key, access, is_owner
FROM room_member
WHERE portal_id = @portal_id AND room_key = @room_key AND valid_to = 'infinity';

-- name: CloseRoomMembers :exec
UPDATE room_member
SET valid_to = greatest(valid_from, @valid_to::timestamptz)
WHERE portal_id = @portal_id AND room_key = @room_key AND account_key = ANY(@account_keys::integer[]) AND valid_to = 'infinity';

-- name: AddRoomMembers :exec
-- Opens spans from valid_from on, of which year 1 is -infinity: Go has no other
-- name for it. A list that is read twice in one run may open a span anew. Somebody whose right only changed keeps the
-- start of their membership: that of the span which was just closed.
INSERT INTO room_member (portal_id, room_key, account_key, valid_from, joined_at, joined_after, access, is_owner)
SELECT
    @portal_id::integer, @room_key::integer, n.account_key, s.valid_from,
    coalesce(o.joined_at, s.valid_from), coalesce(o.joined_after, s.joined_after),
    n.access, n.is_owner
FROM (
    SELECT
        unnest(@account_keys::integer[]) AS account_key,
        unnest(@accesses::smallint[]) AS access,
        unnest(@owners::boolean[]) AS is_owner
) AS n
CROSS JOIN (
    SELECT
        coalesce(nullif(@valid_from::timestamptz, '0001-01-01 00:00:00+00'), '-infinity') AS valid_from,
        coalesce(nullif(@joined_after::timestamptz, '0001-01-01 00:00:00+00'), '-infinity') AS joined_after
) AS s
LEFT JOIN room_member AS o
    ON o.portal_id = @portal_id::integer AND o.room_key = @room_key::integer AND o.account_key = n.account_key
    AND o.valid_to = s.valid_from AND o.valid_from < o.valid_to
ON CONFLICT (portal_id, room_key, account_key, valid_from) DO UPDATE SET
    access = excluded.access, is_owner = excluded.is_owner, valid_to = 'infinity';

-- name: ListOpenRoomGroups :many
SELECT group_key, access
FROM room_group
WHERE portal_id = @portal_id AND room_key = @room_key AND valid_to = 'infinity';

-- name: CloseRoomGroups :exec
UPDATE room_group
SET valid_to = greatest(valid_from, @valid_to::timestamptz)
WHERE portal_id = @portal_id AND room_key = @room_key AND group_key = ANY(@group_keys::integer[]) AND valid_to = 'infinity';

-- name: AddRoomGroups :exec
-- As AddRoomMembers.
INSERT INTO room_group (portal_id, room_key, group_key, valid_from, joined_at, joined_after, access)
SELECT
    @portal_id::integer, @room_key::integer, n.group_key, s.valid_from,
    coalesce(o.joined_at, s.valid_from), coalesce(o.joined_after, s.joined_after), n.access
FROM (
    SELECT unnest(@group_keys::integer[]) AS group_key, unnest(@accesses::smallint[]) AS access
) AS n
CROSS JOIN (
    SELECT
        coalesce(nullif(@valid_from::timestamptz, '0001-01-01 00:00:00+00'), '-infinity') AS valid_from,
        coalesce(nullif(@joined_after::timestamptz, '0001-01-01 00:00:00+00'), '-infinity') AS joined_after
) AS s
LEFT JOIN room_group AS o
    ON o.portal_id = @portal_id::integer AND o.room_key = @room_key::integer AND o.group_key = n.group_key
    AND o.valid_to = s.valid_from AND o.valid_from < o.valid_to
ON CONFLICT (portal_id, room_key, group_key, valid_from) DO UPDATE SET
    access = excluded.access, valid_to = 'infinity';

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
UPDATE room
SET members_since = coalesce(members_since, @read_at::timestamptz), members_at = @read_at::timestamptz, unreadable_since = NULL
WHERE portal_id = @portal_id AND room_key = @room_key;

-- name: SetRoomUnreadable :exec
UPDATE room
SET unreadable_since = coalesce(unreadable_since, @read_at::timestamptz)
WHERE portal_id = @portal_id AND room_key = @room_key;

-- name: AddMembershipChanges :exec
-- An empty account_id or group_id is none.
INSERT INTO membership_change (portal_id, event_id, room_key, occurred_at, action_id, actor_id, account_id, group_id)
SELECT
    @portal_id::integer, unnest(@event_ids::bigint[]), @room_key::integer, unnest(@occurred::timestamptz[]),
    unnest(@action_ids::integer[]), unnest(@actor_ids::text[]),
    nullif(unnest(@account_ids::text[]), ''), nullif(unnest(@group_ids::text[]), '')
ON CONFLICT DO NOTHING;

-- name: DateRoomMembers :exec
-- Sets the start of memberships to the moment that the room's log tells: the
-- last adding of the person that lies within what the lists leave open. A list
-- is read some minutes after the moment that it stands for.
UPDATE room_member AS m
SET valid_from = CASE WHEN m.valid_from = m.joined_at THEN j.joined_at ELSE m.valid_from END,
    joined_at = j.joined_at,
    joined_after = j.joined_at
FROM (
    SELECT o.room_key, o.account_key, o.valid_from, max(c.occurred_at) AS joined_at
    FROM room_member AS o
    INNER JOIN account AS a ON a.portal_id = o.portal_id AND a.account_key = o.account_key
    INNER JOIN membership_change AS c
        ON c.portal_id = o.portal_id AND c.room_key = o.room_key AND c.account_id = a.account_id
    INNER JOIN room AS r ON r.portal_id = o.portal_id AND r.room_key = o.room_key
    WHERE o.portal_id = @portal_id
        AND o.room_key = @room_key
        AND c.action_id = 5085
        AND c.occurred_at > o.joined_after
        AND c.occurred_at <= CASE WHEN o.joined_at = '-infinity' THEN r.members_since ELSE o.joined_at END + INTERVAL '10 minutes'
    GROUP BY o.room_key, o.account_key, o.valid_from
) AS j
WHERE m.portal_id = @portal_id
    AND m.room_key = j.room_key
    AND m.account_key = j.account_key
    AND m.valid_from = j.valid_from;

-- name: ListGroupIDs :many
-- The groups that hold or held a right in a room.
SELECT group_id FROM people_group WHERE portal_id = @portal_id ORDER BY group_id;

-- name: ListUnexplainedChanges :many
-- Changes of members whose room's log has not been asked whom they concern,
-- newest first, of rooms that exist and have a log.
SELECT r.room_id, e.event_id, e.occurred_at
FROM room AS r
INNER JOIN audit_event AS e ON e.portal_id = r.portal_id AND e.room_key = r.room_key AND e.room_source = 2
INNER JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
LEFT JOIN membership_change AS c ON c.portal_id = e.portal_id AND c.event_id = e.event_id
WHERE r.portal_id = @portal_id
    AND r.listed_at IS NOT NULL AND r.deleted_at IS NULL AND NOT r.is_third_party
    AND k.action_id = ANY(@action_ids::integer[])
    AND c.event_id IS NULL
ORDER BY r.room_id, e.occurred_at DESC, e.event_id DESC;
