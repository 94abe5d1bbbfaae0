-- Which rooms were used most?
--
-- Answer   One row per room with activity: events, people, UTC days with activity; busiest first.
-- Caveats  An event is an act, not an hour of work: a client that saves often counts more.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    room_id,
    room_title,
    sum(events) AS events,
    count(DISTINCT account_id) AS people,
    count(DISTINCT day) AS active_days
FROM analytics.activity_daily
WHERE portal = (SELECT portal FROM analytics.portals) AND day >= :'from' AND day < :'to'
GROUP BY room_id, room_title
ORDER BY events DESC, room_id COLLATE "C";
