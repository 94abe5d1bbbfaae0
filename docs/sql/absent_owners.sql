-- Which rooms have an owner who is not there?
--
-- Answer   One row per room that is neither archived nor deleted and whose owner had no activity in it since a day:
--          the owner, the status of their account, and when they were last active there.
-- Caveats  An owner may look after a room without leaving a trace.

\set since '2026-10-01'

SELECT r.room_id, r.title, m.account_id, m.display_name, a.status, d.last_active_at
FROM analytics.rooms AS r
INNER JOIN analytics.members AS m
    ON m.portal = r.portal AND m.room_id = r.room_id AND m.is_owner AND m.valid_to IS NULL
INNER JOIN analytics.accounts AS a ON a.portal = m.portal AND a.account_id = m.account_id
LEFT JOIN analytics.last_activity AS d ON d.portal = m.portal AND d.room_id = m.room_id AND d.account_id = m.account_id
WHERE r.portal = (SELECT portal FROM analytics.portals)
    AND NOT r.is_archived AND r.deleted_at IS NULL
    AND (d.last_active_at IS NULL OR d.last_active_at < :'since')
ORDER BY d.last_active_at NULLS FIRST, r.room_id COLLATE "C";
