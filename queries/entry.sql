-- name: AddEntryEvents :exec
-- Notes events whose room the whereabouts of a file or folder may tell, and
-- whether the portal is to be asked where it lies. It is not if it has
-- answered since.
WITH events AS (
    SELECT
        unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id, unnest(@event_ids::bigint[]) AS event_id,
        unnest(@occurred::timestamptz[]) AS occurred_at, unnest(@asks::boolean[]) AS asks, unnest(@moves::boolean[]) AS is_move
),
noted AS (
    INSERT INTO entry_event (portal_id, is_folder, entry_id, event_id)
    SELECT @portal_id::integer, n.is_folder, n.entry_id, n.event_id
    FROM events AS n
    ON CONFLICT DO NOTHING
)
INSERT INTO entry AS e (portal_id, is_folder, entry_id, ask_at, has_moves)
SELECT @portal_id::integer, n.is_folder, n.entry_id, max(n.occurred_at) FILTER (WHERE n.asks), bool_or(n.is_move)
FROM events AS n
WHERE n.asks OR n.is_move
GROUP BY n.is_folder, n.entry_id
ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET
    ask_at = CASE
        WHEN e.is_gone OR e.asked_at >= excluded.ask_at THEN e.ask_at
        ELSE coalesce(e.ask_at, excluded.ask_at)
    END,
    has_moves = e.has_moves OR excluded.has_moves;

-- name: SettleAsks :exec
-- Takes back what was to be asked by now and what logs have told meanwhile.
UPDATE entry AS e
SET ask_at = NULL
WHERE e.portal_id = @portal_id AND e.ask_at <= @asked_at::timestamptz
    AND NOT EXISTS (
        SELECT 1
        FROM entry_event AS o
        INNER JOIN audit_event AS a ON a.portal_id = o.portal_id AND a.event_id = o.event_id
        WHERE o.portal_id = e.portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id AND a.room_source IN (7, 8)
    );

-- name: ListEntriesToAsk :many
-- The files and folders to ask the portal for: those under a title that several
-- rooms bore, or (destinations) folders that something was moved to. Those that
-- were asked for longest ago come first, so that none waits for others that get no answer.
SELECT e.is_folder, e.entry_id
FROM entry AS e
WHERE e.portal_id = @portal_id AND e.ask_at <= @asked_at::timestamptz
    AND EXISTS (
        SELECT 1
        FROM entry_event AS o
        INNER JOIN audit_event AS a ON a.portal_id = o.portal_id AND a.event_id = o.event_id
        WHERE o.portal_id = e.portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id
            AND a.room_source = CASE WHEN @destinations::boolean THEN 8 ELSE 7 END
    )
ORDER BY e.asked_at NULLS FIRST, e.ask_at, e.is_folder, e.entry_id;

-- name: SetEntryAsked :exec
-- Notes that the portal was asked at asked_at, and when it is to be asked again.
UPDATE entry
SET asked_at = @asked_at::timestamptz, ask_at = @ask_at, is_gone = @is_gone
WHERE portal_id = @portal_id AND is_folder = @is_folder AND entry_id = @entry_id;

-- name: SetEntryTried :exec
-- Notes that the portal gave no answer.
UPDATE entry SET asked_at = @asked_at::timestamptz WHERE portal_id = @portal_id AND is_folder = @is_folder AND entry_id = @entry_id;

-- name: ListStrayFolders :many
-- The folders that are not known to have lain before in what they were seen in at the given moments.
SELECT DISTINCT f.entry_id::text AS entry_id
FROM (
    SELECT unnest(@entry_ids::text[]) AS entry_id, unnest(@seen_at::timestamptz[]) AS seen_at, unnest(@parent_ids::text[]) AS parent_id
) AS f
LEFT JOIN LATERAL (
    SELECT p.parent_id
    FROM (
        SELECT s.seen_at AS since, s.parent_id
        FROM entry_sighting AS s
        WHERE s.portal_id = @portal_id AND s.is_folder AND s.entry_id = f.entry_id AND s.parent_id <> ''
        UNION ALL
        SELECT a.occurred_at, m.parent_id
        FROM entry_move AS m
        INNER JOIN audit_event AS a ON a.portal_id = @portal_id AND a.event_id = m.event_id
        WHERE m.portal_id = @portal_id AND m.is_folder AND m.entry_id = f.entry_id
    ) AS p
    WHERE p.since <= f.seen_at
    ORDER BY p.since DESC
    LIMIT 1
) AS was ON true
WHERE f.parent_id IS DISTINCT FROM was.parent_id;

-- name: AddEntrySightings :exec
-- Notes where files and folders were, and that their events are to be judged
-- again; of stray folders also what lay in them. An empty parent_id is none.
WITH fresh AS (
    INSERT INTO entry_sighting (portal_id, is_folder, entry_id, seen_at, room_key, parent_id, was_asked)
    SELECT
        @portal_id::integer, unnest(@folders::boolean[]), unnest(@entry_ids::text[]),
        unnest(@seen_at::timestamptz[]), unnest(@room_keys::integer[]), unnest(@parent_ids::text[]), @was_asked::boolean
    ON CONFLICT DO NOTHING
    RETURNING portal_id, is_folder, entry_id
)
INSERT INTO entry AS e (portal_id, is_folder, entry_id, is_stale, has_moves, spreads)
SELECT f.portal_id, f.is_folder, f.entry_id, true, f.is_folder, f.is_folder AND f.entry_id = ANY(coalesce(@stray_ids::text[], '{}'))
FROM fresh AS f
GROUP BY f.portal_id, f.is_folder, f.entry_id
ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET is_stale = true, has_moves = e.is_folder, spreads = e.spreads OR excluded.spreads;

-- name: AddEntryMoves :many
-- Notes which files and folders were moved or copied, and that their events are to be judged again,
-- with those of what lay in folders. Returns the events of folders across the border of a room that were not
-- known as such before, once anything was seen in rooms.
WITH fresh AS (
    INSERT INTO entry_move AS m (portal_id, is_folder, entry_id, event_id, parent_id, is_crossing)
    SELECT
        @portal_id::integer, unnest(@folders::boolean[]), unnest(@entry_ids::text[]),
        unnest(@event_ids::bigint[]), unnest(@parent_ids::text[]), unnest(@crossings::boolean[])
    ON CONFLICT (portal_id, is_folder, entry_id, event_id) DO UPDATE SET is_crossing = true
    WHERE NOT m.is_crossing AND excluded.is_crossing
    RETURNING portal_id, is_folder, entry_id, event_id, is_crossing
),
files AS (
    UPDATE entry AS e
    SET is_stale = true
    FROM (SELECT DISTINCT portal_id, entry_id FROM fresh WHERE NOT is_folder) AS f
    WHERE e.portal_id = f.portal_id AND NOT e.is_folder AND e.entry_id = f.entry_id
),
folders AS (
    INSERT INTO entry (portal_id, is_folder, entry_id, is_stale, has_moves, spreads)
    SELECT DISTINCT f.portal_id, true, f.entry_id, true, true, true
    FROM fresh AS f
    WHERE f.is_folder
    ON CONFLICT (portal_id, is_folder, entry_id) DO UPDATE SET is_stale = true, has_moves = true, spreads = true
)
SELECT f.event_id
FROM fresh AS f
WHERE f.is_folder AND f.is_crossing
    AND EXISTS (SELECT 1 FROM entry_sighting AS s WHERE s.portal_id = @portal_id); -- in a first sync there is nothing yet to judge again

-- name: ListTwinMoves :many
-- The given moves and the other event of each, where that is known: one act across the border of a room
-- has two, with the same second but perhaps not the same fraction of it.
SELECT DISTINCT t.is_folder::boolean AS is_folder, t.entry_id::text AS entry_id, t.event_id::bigint AS event_id, t.parent_id::text AS parent_id
FROM (
    SELECT
        unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id,
        unnest(@event_ids::bigint[]) AS event_id, unnest(@parent_ids::text[]) AS parent_id
) AS w
INNER JOIN audit_event AS a ON a.portal_id = @portal_id AND a.event_id = w.event_id
INNER JOIN entry_move AS o
    ON o.portal_id = @portal_id AND o.is_folder = w.is_folder AND o.entry_id = w.entry_id AND o.parent_id = w.parent_id AND o.event_id <> w.event_id
INNER JOIN audit_event AS b
    ON b.portal_id = @portal_id AND b.event_id = o.event_id
    AND b.account_key = a.account_key AND abs(extract(epoch FROM b.occurred_at - a.occurred_at)) <= 1
CROSS JOIN LATERAL (
    VALUES (w.is_folder, w.entry_id, w.event_id, w.parent_id), (o.is_folder, o.entry_id, o.event_id, o.parent_id)
) AS t (is_folder, entry_id, event_id, parent_id);

-- name: ListRoomsOfDepartures :many
-- The rooms that the given events of folders may have left or entered, as ListDepartures has it: those
-- that bore the title that an event names; 0: any room.
WITH titles AS (
    SELECT DISTINCT c.title
    FROM (SELECT unnest(@event_ids::bigint[]) AS event_id) AS w
    INNER JOIN audit_event AS a ON a.portal_id = @portal_id AND a.event_id = w.event_id
    INNER JOIN kind AS k ON k.portal_id = @portal_id AND k.kind_key = a.kind_key AND k.action_id = ANY(@action_ids::integer[])
    INNER JOIN context AS c ON c.portal_id = @portal_id AND c.context_key = a.context_key
)
SELECT r.room_key::integer AS room_key FROM titles AS t INNER JOIN room AS r ON r.portal_id = @portal_id AND r.title = t.title
UNION
SELECT n.room_key FROM titles AS t INNER JOIN room_rename AS n ON n.portal_id = @portal_id AND n.old_title = t.title
UNION
SELECT 0 FROM titles AS t WHERE t.title IS NULL;

-- name: ListEntrySightings :many
-- Where the given files and folders were seen, and when they were moved, by time. An empty room_id is
-- no room, or nobody knows which; so it is of moves.
SELECT
    w.is_folder::boolean AS is_folder, w.entry_id::text AS entry_id, s.seen_at, coalesce(r.room_id, '')::text AS room_id,
    s.parent_id::text AS parent_id, s.was_asked::boolean AS was_asked, s.is_within::boolean AS is_within
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS w
CROSS JOIN LATERAL ( -- by the keys, also where the planner knows nothing of the tables
    SELECT e.seen_at, e.room_key, e.parent_id, e.was_asked, false AS is_within
    FROM entry_sighting AS e
    WHERE e.portal_id = @portal_id AND e.is_folder = w.is_folder AND e.entry_id = w.entry_id
    UNION ALL
    SELECT a.occurred_at, 0, x.parent_id, false, NOT x.is_crossing
    FROM entry_move AS x
    INNER JOIN audit_event AS a ON a.portal_id = @portal_id AND a.event_id = x.event_id
    WHERE x.portal_id = @portal_id AND x.is_folder = w.is_folder AND x.entry_id = w.entry_id
    OFFSET 0
) AS s
LEFT JOIN room AS r ON r.portal_id = @portal_id AND r.room_key = s.room_key
WHERE EXISTS (SELECT 1 FROM entry_sighting AS o WHERE o.portal_id = @portal_id) -- else a first sync looks for each file of each window
ORDER BY w.is_folder, w.entry_id, s.seen_at, s.room_key;

-- name: ListFolderPlaces :many
-- Where all folders were seen, and when they were moved.
SELECT s.entry_id, s.seen_at, coalesce(r.room_id, '')::text AS room_id, s.parent_id, s.was_asked, false AS is_within
FROM entry_sighting AS s
LEFT JOIN room AS r ON r.portal_id = @portal_id AND r.room_key = s.room_key
WHERE s.portal_id = @portal_id AND s.is_folder AND s.parent_id <> ''
UNION ALL
SELECT x.entry_id, a.occurred_at, '', x.parent_id, false, NOT x.is_crossing
FROM entry_move AS x
INNER JOIN audit_event AS a ON a.portal_id = x.portal_id AND a.event_id = x.event_id
WHERE x.portal_id = @portal_id AND x.is_folder;

-- name: ListDepartures :many
-- When folders were moved that may have left or entered a room, and which: what lay in them has no
-- event of its own. Moves from and to what is no room name no title; their room_id is empty, and it
-- may be any room.
SELECT DISTINCT coalesce(t.room_id, '')::text AS room_id, x.entry_id, a.occurred_at
FROM entry_move AS x
INNER JOIN audit_event AS a ON a.portal_id = x.portal_id AND a.event_id = x.event_id
INNER JOIN kind AS k ON k.portal_id = a.portal_id AND k.kind_key = a.kind_key AND k.action_id = ANY(@action_ids::integer[])
INNER JOIN context AS c ON c.portal_id = a.portal_id AND c.context_key = a.context_key
LEFT JOIN (
    SELECT r.room_id, r.title
    FROM room AS r
    WHERE r.portal_id = @portal_id AND NOT r.is_unresolved
    UNION
    SELECT r.room_id, n.old_title
    FROM room_rename AS n
    INNER JOIN room AS r ON r.portal_id = n.portal_id AND r.room_key = n.room_key
    WHERE n.portal_id = @portal_id
) AS t ON t.title = c.title
WHERE x.portal_id = @portal_id AND x.is_folder AND x.is_crossing AND (t.room_id IS NOT NULL OR c.title IS NULL);

-- name: SetRoomEntriesStale :exec
-- Has the events judged again of all that was ever seen in the rooms, and the moves placed again into such folders.
UPDATE entry AS e
SET is_stale = true, has_moves = e.is_folder
FROM entry_sighting AS s
WHERE e.portal_id = @portal_id
    AND s.portal_id = e.portal_id AND s.is_folder = e.is_folder AND s.entry_id = e.entry_id
    AND s.room_key = ANY(@room_keys::integer[]) AND NOT e.is_stale
    AND EXISTS (SELECT 1 FROM entry_event AS o WHERE o.portal_id = e.portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id);

-- name: SetAllEntriesStale :exec
-- SetRoomEntriesStale for any room.
UPDATE entry AS e
SET is_stale = true, has_moves = e.is_folder
WHERE e.portal_id = @portal_id AND NOT e.is_stale
    AND EXISTS (SELECT 1 FROM entry_event AS o WHERE o.portal_id = e.portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id);

-- name: ListSpreadingFolders :many
-- The folders of whose whereabouts more has become known.
SELECT entry_id FROM entry WHERE portal_id = @portal_id AND spreads ORDER BY entry_id;

-- name: SetEntriesBelowStale :exec
-- Has the events judged again of the given folders and all that was seen in one of them or moved there.
UPDATE entry AS e
SET is_stale = true, has_moves = e.is_folder
FROM (
    SELECT s.is_folder, s.entry_id
    FROM entry_sighting AS s
    WHERE s.portal_id = @portal_id AND s.parent_id = ANY(@folder_ids::text[])
    UNION
    SELECT m.is_folder, m.entry_id
    FROM entry_move AS m
    WHERE m.portal_id = @portal_id AND m.parent_id = ANY(@folder_ids::text[])
    UNION
    SELECT true, unnest(@folder_ids::text[])
) AS b
WHERE e.portal_id = @portal_id AND e.is_folder = b.is_folder AND e.entry_id = b.entry_id AND NOT e.is_stale
    AND EXISTS (SELECT 1 FROM entry_event AS o WHERE o.portal_id = e.portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id);

-- name: SetFoldersSpread :exec
UPDATE entry SET spreads = false WHERE portal_id = @portal_id AND spreads AND entry_id = ANY(@folder_ids::text[]);

-- name: ListStaleEntries :many
-- A chunk of the entries whose events are to be judged again, with how many these are.
SELECT e.is_folder, e.entry_id, n.events
FROM entry AS e
CROSS JOIN LATERAL (
    SELECT count(*) AS events
    FROM entry_event AS o
    WHERE o.portal_id = @portal_id AND o.is_folder = e.is_folder AND o.entry_id = e.entry_id
) AS n
WHERE e.portal_id = @portal_id AND e.is_stale
ORDER BY e.is_folder, e.entry_id
LIMIT @chunk;

-- name: GetLastOfChunk :one
-- The event of an entry that comes after the next skip ones; no row if there are fewer.
SELECT event_id
FROM entry_event
WHERE portal_id = @portal_id AND is_folder = @is_folder AND entry_id = @entry_id AND event_id > @after_event_id
ORDER BY event_id
OFFSET @skip LIMIT 1;

-- name: ListEventsOfEntries :many
-- The events about the given files and folders whose room their whereabouts may
-- tell, of those with ids above first_id and up to last_id.
SELECT
    e.event_id, e.occurred_at, e.account_key, e.room_key, e.room_source, e.class, e.target,
    k.action_id, k.product, c.context
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS w
CROSS JOIN LATERAL ( -- by the keys, also where the planner knows nothing of the tables
    SELECT n.event_id
    FROM entry_event AS n
    WHERE n.portal_id = @portal_id AND n.is_folder = w.is_folder AND n.entry_id = w.entry_id
        AND n.event_id > @after_event_id::bigint AND n.event_id <= @last_event_id::bigint
    OFFSET 0
) AS o
CROSS JOIN LATERAL (
    SELECT a.*
    FROM audit_event AS a
    WHERE a.portal_id = @portal_id AND a.event_id = o.event_id
    OFFSET 0
) AS e
INNER JOIN kind AS k ON k.portal_id = @portal_id AND k.kind_key = e.kind_key
INNER JOIN context AS c ON c.portal_id = @portal_id AND c.context_key = e.context_key
WHERE e.room_source IN (4, 5, 7) AND c.title IS NOT NULL
ORDER BY e.event_id;

-- name: ListOpenMoves :many
-- All events of the moves and copies of which at least one event is unplaced or was placed by its number, into
-- a chunk of the folders with such, act by act. None of them names a room, so
-- that entry_event has them all; they have the same second, but perhaps not the same fraction of it.
SELECT o.entry_id::text AS entry_id, o.event_id, o.occurred_at, o.account_key, o.room_key, o.room_source, o.class, o.target, o.action_id, o.room_id
FROM (
    SELECT
        f.entry_id, e.event_id, e.occurred_at, e.account_key, e.room_key, e.room_source, e.class, e.target, k.action_id,
        coalesce(r.room_id, '')::text AS room_id,
        bool_or(e.room_source IN (5, 8)) OVER (PARTITION BY f.entry_id, e.account_key, k.action_id, e.target) AS is_open
    FROM (SELECT unnest(@entry_ids::text[]) AS entry_id) AS f
    CROSS JOIN LATERAL (
        SELECT n.event_id
        FROM entry_event AS n
        WHERE n.portal_id = @portal_id AND n.is_folder AND n.entry_id = f.entry_id
        OFFSET 0
    ) AS n
    CROSS JOIN LATERAL (
        SELECT a.*
        FROM audit_event AS a
        WHERE a.portal_id = @portal_id AND a.event_id = n.event_id AND split_part(a.target, ',', 2) = f.entry_id
        OFFSET 0
    ) AS e
    INNER JOIN kind AS k ON k.portal_id = @portal_id AND k.kind_key = e.kind_key
    LEFT JOIN room AS r ON r.portal_id = @portal_id AND r.room_key = e.room_key AND NOT r.is_unresolved
) AS o
WHERE o.is_open
ORDER BY o.entry_id, o.account_key, o.action_id, o.target, o.occurred_at, o.event_id;

-- name: ListFoldersWithMoves :many
-- A chunk of the folders whose moves are to be placed.
SELECT entry_id
FROM entry
WHERE portal_id = @portal_id AND has_moves AND entry_id > @after_entry_id
ORDER BY entry_id
LIMIT @chunk;

-- name: SetFoldersPlaced :exec
UPDATE entry SET has_moves = false WHERE portal_id = @portal_id AND is_folder AND entry_id = ANY(@entry_ids::text[]);

-- name: SetMovesOpen :exec
-- Notes that more is known of the moves and copies with the given events.
UPDATE entry AS e
SET has_moves = true
FROM (SELECT unnest(@event_ids::bigint[]) AS event_id) AS w
CROSS JOIN LATERAL (
    SELECT split_part(a.target, ',', 2) AS entry_id
    FROM audit_event AS a
    WHERE a.portal_id = @portal_id AND a.event_id = w.event_id
    OFFSET 0
) AS m
WHERE e.portal_id = @portal_id AND e.is_folder AND e.entry_id = m.entry_id AND NOT e.has_moves;

-- name: DeleteEntryEvents :exec
-- Forgets events of which nothing will tell the room.
DELETE FROM entry_event WHERE portal_id = @portal_id AND is_folder = @is_folder AND entry_id = @entry_id AND event_id = ANY(@event_ids::bigint[]);

-- name: SetEntriesFresh :exec
UPDATE entry AS e
SET is_stale = false
FROM (SELECT unnest(@folders::boolean[]) AS is_folder, unnest(@entry_ids::text[]) AS entry_id) AS f
WHERE e.portal_id = @portal_id AND e.is_folder = f.is_folder AND e.entry_id = f.entry_id;

-- name: ListTwins :many
-- The events of the same moves and copies as the given ones that were placed by
-- their number. The lateral queries keep the planner to the primary keys: there
-- are few of all these, and it takes them for many. Many moves go to one folder,
-- so that the events of each are read once.
WITH moves AS MATERIALIZED (
    SELECT e.event_id, e.occurred_at, e.account_key, e.kind_key, e.target, split_part(e.target, ',', 2) AS folder_id
    FROM (SELECT unnest(@event_ids::bigint[]) AS event_id) AS w
    CROSS JOIN LATERAL (
        SELECT o.event_id, o.occurred_at, o.account_key, o.kind_key, o.target
        FROM audit_event AS o
        WHERE o.portal_id = @portal_id AND o.event_id = w.event_id
        OFFSET 0
    ) AS e
),
placed AS MATERIALIZED (
    SELECT t.event_id, t.occurred_at, t.account_key, t.kind_key, t.room_key, t.room_source, t.class, t.target
    FROM (SELECT DISTINCT folder_id FROM moves) AS f
    CROSS JOIN LATERAL (
        SELECT o.event_id
        FROM entry_event AS o
        WHERE o.portal_id = @portal_id AND o.is_folder AND o.entry_id = f.folder_id
        OFFSET 0
    ) AS n
    CROSS JOIN LATERAL (
        SELECT e.*
        FROM audit_event AS e
        WHERE e.portal_id = @portal_id AND e.event_id = n.event_id AND e.room_source = 5
        OFFSET 0
    ) AS t
)
SELECT DISTINCT t.event_id, t.occurred_at, t.account_key, t.room_key, t.room_source, t.class
FROM placed AS t
INNER JOIN moves AS m ON m.account_key = t.account_key AND m.target = t.target AND m.event_id <> t.event_id
INNER JOIN kind AS mk ON mk.portal_id = @portal_id AND mk.kind_key = m.kind_key
INNER JOIN kind AS tk ON tk.portal_id = @portal_id AND tk.kind_key = t.kind_key AND tk.action_id = mk.action_id
WHERE abs(extract(epoch FROM t.occurred_at - m.occurred_at)) <= 1
ORDER BY t.event_id;
