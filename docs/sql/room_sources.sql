-- How are the rooms of events known, and how many have none?
--
-- Answer   One row per month and room_source, of events that count: their number and their share of the month.
-- Caveats  With none nothing is lacking: such events, in My documents, say, belong to no room.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    date_trunc('month', hour AT TIME ZONE 'UTC')::date AS month,
    room_source,
    sum(events) AS events,
    round(100 * sum(events) / sum(sum(events)) OVER (PARTITION BY date_trunc('month', hour AT TIME ZONE 'UTC')), 1) AS percent
FROM analytics.events_hourly
WHERE portal = (SELECT portal FROM analytics.portals)
    AND hour >= :'from' AND hour < :'to' AND class IN ('view', 'edit', 'manage')
GROUP BY date_trunc('month', hour AT TIME ZONE 'UTC'), room_source
ORDER BY month, events DESC, room_source;
