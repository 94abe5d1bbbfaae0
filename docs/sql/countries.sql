-- From which countries do people work?
--
-- Answer   One row per country: events that count, people, rooms.
-- Caveats  The portal guesses the country from the address; a VPN moves people. Null: it does not know.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT country, count(*) AS events, count(DISTINCT account_id) AS people, count(DISTINCT room_id) AS rooms
FROM analytics.events
WHERE portal = (SELECT portal FROM analytics.portals)
    AND occurred_at >= :'from' AND occurred_at < :'to' AND class IN ('view', 'edit', 'manage')
GROUP BY country
ORDER BY events DESC, country COLLATE "C";
