-- name: ListExclusions :many
-- Those not removed, expired ones included, by number. name is that of the
-- account, room or group, empty if it is not known.
SELECT
    x.exclusion_id, x.kind, x.subject, x.reason, x.added_at, x.expires_at,
    coalesce(a.name, r.title, g.name, '')::text AS name
FROM exclusion AS x
LEFT JOIN account AS a ON a.portal_id = x.portal_id AND x.kind = 'account' AND a.account_id = x.subject
LEFT JOIN room AS r ON r.portal_id = x.portal_id AND x.kind = 'room' AND NOT r.is_unresolved AND r.room_id = x.subject
LEFT JOIN people_group AS g ON g.portal_id = x.portal_id AND x.kind = 'group' AND g.group_id = x.subject
WHERE x.portal_id = @portal_id AND x.removed_at IS NULL
ORDER BY x.exclusion_id;

-- name: ListExcludedPeople :many
-- Who belongs to excluded groups as of until.
SELECT x.exclusion_id, a.account_id
FROM exclusion AS x
INNER JOIN people_group AS g ON g.portal_id = x.portal_id AND g.group_id = x.subject
INNER JOIN group_member AS m
    ON m.portal_id = x.portal_id AND m.group_key = g.group_key AND m.valid_from <= @until AND m.valid_to > @until
INNER JOIN account AS a ON a.portal_id = x.portal_id AND a.account_key = m.account_key
WHERE x.portal_id = @portal_id AND x.kind = 'group' AND x.removed_at IS NULL;

-- name: AddExclusion :one
INSERT INTO exclusion (portal_id, exclusion_id, kind, subject, reason, added_at, expires_at)
SELECT
    @portal_id, coalesce(max(x.exclusion_id), 0) + 1, @kind, @subject, @reason, @added_at, sqlc.narg('expires_at')::timestamptz
FROM exclusion AS x
WHERE x.portal_id = @portal_id
RETURNING exclusion_id;

-- name: ReplaceExclusion :exec
-- Removes the exclusion of a subject, if it has one.
UPDATE exclusion
SET removed_at = @removed_at::timestamptz
WHERE portal_id = @portal_id AND kind = @kind AND subject = @subject AND removed_at IS NULL;

-- name: RemoveExclusion :execrows
UPDATE exclusion
SET removed_at = @removed_at::timestamptz
WHERE portal_id = @portal_id AND exclusion_id = @exclusion_id AND removed_at IS NULL;

-- name: ListGroups :many
-- The groups that have, or had, a right in a room, by id.
SELECT group_id, name FROM people_group WHERE portal_id = @portal_id ORDER BY group_id;

-- name: ListPeople :many
-- The accounts that are there, by id, as users name them: by their e-mail address, else by their id.
SELECT coalesce(nullif(email, ''), account_id)::text AS address, name
FROM account
WHERE portal_id = @portal_id AND status NOT IN (0, 3)
ORDER BY account_id;

-- name: ListEmailDomains :many
-- The domains of e-mail addresses of accounts that are there, in lower case.
SELECT DISTINCT lower(substring(email FROM '@([^@]*)$'))::text AS domain
FROM account
WHERE portal_id = @portal_id AND status <> 3 AND email LIKE '%@%'
ORDER BY domain;
