-- Which rooms has nobody used since a day?
--
-- Answer   One row per room that is neither archived nor deleted: when it was last used (null: never as far as data
--          reach), and how many members it has; longest unused first.
-- Caveats  Events whose room is not known may have been there: see unresolved_titles.sql.

\set since '2026-10-01'

SELECT r.room_id, r.title, r.created_at, d.last_active_at, count(DISTINCT m.account_id) AS members
FROM analytics.rooms AS r
LEFT JOIN (
    SELECT room_id, max(last_active_at) AS last_active_at
    FROM analytics.last_activity
    WHERE portal = (SELECT portal FROM analytics.portals)
    GROUP BY room_id
) AS d ON d.room_id = r.room_id
LEFT JOIN analytics.members AS m ON m.portal = r.portal AND m.room_id = r.room_id AND m.valid_to IS NULL
WHERE r.portal = (SELECT portal FROM analytics.portals)
    AND NOT r.is_archived AND r.deleted_at IS NULL
    AND (d.last_active_at IS NULL OR d.last_active_at < :'since')
GROUP BY r.room_id, r.title, r.created_at, d.last_active_at
ORDER BY d.last_active_at NULLS FIRST, r.room_id COLLATE "C";
