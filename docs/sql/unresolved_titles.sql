-- Under which titles are there events whose room nobody knows?
--
-- Answer   One row per title: events, people, the first and the last, and the rooms that bear the title now.
-- Caveats  A room may have been renamed since. Rename rooms that share a title; the past stays as it is.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    e.unresolved_title AS title,
    count(*) AS events,
    count(DISTINCT e.account_id) AS people,
    min(e.occurred_at) AS first_at,
    max(e.occurred_at) AS last_at,
    (
        SELECT array_agg(r.room_id ORDER BY r.room_id COLLATE "C")
        FROM analytics.rooms AS r
        WHERE r.portal = (SELECT portal FROM analytics.portals) AND r.title = e.unresolved_title
    ) AS rooms_with_that_title
FROM analytics.events AS e
WHERE e.portal = (SELECT portal FROM analytics.portals)
    AND e.occurred_at >= :'from' AND e.occurred_at < :'to'
    AND e.room_source = 'unresolved' AND e.class IN ('view', 'edit', 'manage')
GROUP BY e.unresolved_title
ORDER BY events DESC, e.unresolved_title COLLATE "C";
