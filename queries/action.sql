-- name: LoadActions :exec
-- Writes roompulse's own list of actions over what is there; '-' and '' are
-- none. What stored events count as stays with the events.
INSERT INTO action AS a (action_id, name, product, location, type, entries, is_tracked, class, is_known)
SELECT
    l.action_id, l.name, nullif(l.product, '-'), nullif(l.location, '-'), nullif(l.type, '-'),
    coalesce(string_to_array(nullif(l.entries, ''), ','), '{}'), l.is_tracked, l.class, true
FROM (
    SELECT
        unnest(@action_ids::integer[]) AS action_id,
        unnest(@names::text[]) AS name,
        unnest(@products::text[]) AS product,
        unnest(@locations::text[]) AS location,
        unnest(@types::text[]) AS type,
        unnest(@entries::text[]) AS entries,
        unnest(@tracked::boolean[]) AS is_tracked,
        unnest(@classes::smallint[]) AS class
) AS l
ON CONFLICT (action_id) DO UPDATE SET
    name = excluded.name,
    product = excluded.product,
    location = excluded.location,
    type = excluded.type,
    entries = excluded.entries,
    is_tracked = excluded.is_tracked,
    class = excluded.class,
    is_known = true;

-- name: AddUnknownActions :exec
-- Keeps ids of actions that roompulse does not know. action is a reference
-- table, so this runs in a transaction of its own.
INSERT INTO action (action_id, is_known)
SELECT unnest(@action_ids::integer[]), false
ON CONFLICT DO NOTHING;

-- name: ListUnknownActions :many
-- Ids of actions that a portal has listed and roompulse does not know.
SELECT DISTINCT k.action_id
FROM kind AS k
INNER JOIN action AS a ON a.action_id = k.action_id
WHERE k.portal_id = @portal_id AND NOT a.is_known
ORDER BY k.action_id;
