-- How many members of each room did nothing there in a window?
--
-- Answer   One row per room: members with an active account, how many of them had no activity, and their share.
-- Caveats  The plain form. It takes members as of now, counts the owners of rooms too, knows no exclusions, and spares
--          nobody who joined last week or whose events may be hidden under a title that two rooms bore:
--          roompulse report inactive gives the verdicts, and its numbers are other ones.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    m.room_id,
    m.room_title,
    count(*) AS members,
    count(*) FILTER (WHERE d.account_id IS NULL) AS inactive,
    round(100.0 * count(*) FILTER (WHERE d.account_id IS NULL) / count(*), 1) AS inactive_percent
FROM (
    SELECT DISTINCT portal, room_id, room_title, account_id
    FROM analytics.members
    WHERE portal = (SELECT portal FROM analytics.portals) AND valid_to IS NULL
) AS m
INNER JOIN analytics.rooms AS r
    ON r.portal = m.portal AND r.room_id = m.room_id AND NOT r.is_archived AND r.deleted_at IS NULL
INNER JOIN analytics.accounts AS a
    ON a.portal = m.portal AND a.account_id = m.account_id AND a.is_person AND a.status = 'active'
LEFT JOIN (
    SELECT DISTINCT room_id, account_id
    FROM analytics.activity_daily
    WHERE portal = (SELECT portal FROM analytics.portals) AND day >= :'from' AND day < :'to'
) AS d ON d.room_id = m.room_id AND d.account_id = m.account_id
GROUP BY m.room_id, m.room_title
ORDER BY inactive DESC, m.room_id COLLATE "C";
