-- How many people are active in rooms each week?
--
-- Answer   One row per week (from Monday, UTC): people and rooms with activity, and events.
-- Caveats  The first and the last week may be cut by the window; weeks outside complete data show too little.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    date_trunc('week', day)::date AS week,
    count(DISTINCT account_id) AS people,
    count(DISTINCT room_id) AS rooms,
    sum(events) AS events
FROM analytics.activity_daily
WHERE portal = (SELECT portal FROM analytics.portals) AND day >= :'from' AND day < :'to'
GROUP BY week
ORDER BY week;
