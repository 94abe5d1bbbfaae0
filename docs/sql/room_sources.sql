-- How are the rooms of events known, and how many have none?
--
-- Answer   One row per month and room_source, of events that count: their number and their share of the month.
-- Caveats  With none nothing is lacking: such events, in My documents, say, belong to no room.

\set portal 'https://acme.onlyoffice.com'
\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    date_trunc('month', day)::date AS month,
    room_source,
    sum(events) AS events,
    round(100 * sum(events) / sum(sum(events)) OVER (PARTITION BY date_trunc('month', day)), 1) AS percent
FROM analytics.events_daily
WHERE portal = :'portal' AND day >= :'from' AND day < :'to' AND class IN ('view', 'edit', 'manage')
GROUP BY date_trunc('month', day), room_source
ORDER BY month, events DESC, room_source;
