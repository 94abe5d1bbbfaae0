-- At which hours do people work, by the clocks of a place?
--
-- Answer   One row per hour of the day (0 to 23) with events: those on weekdays and those at weekends.
-- Caveats  All people are taken to live by the clocks of :zone. The window's ends are midnights there.

\set from '2026-10-01'
\set to '2026-11-01'
\set zone 'Europe/Berlin'

SELECT
    extract(hour FROM occurred_at AT TIME ZONE :'zone')::integer AS hour,
    count(*) FILTER (WHERE extract(isodow FROM occurred_at AT TIME ZONE :'zone') < 6) AS weekdays,
    count(*) FILTER (WHERE extract(isodow FROM occurred_at AT TIME ZONE :'zone') >= 6) AS weekends
FROM analytics.events
WHERE portal = (SELECT portal FROM analytics.portals)
    AND occurred_at >= :'from'::timestamp AT TIME ZONE :'zone'
    AND occurred_at < :'to'::timestamp AT TIME ZONE :'zone'
    AND class IN ('view', 'edit', 'manage')
GROUP BY hour
ORDER BY hour;
