-- How late does the portal write its events?
--
-- Answer   One row per sync that met late events: how many, of how many new ones, and how late the latest was.
-- Caveats  Late is what came into a span that had been complete; what a first reading finds late nobody can tell.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT run_id, started_at, events_new, events_late, make_interval(secs => max_late_seconds) AS latest
FROM analytics.sync_runs
WHERE portal = (SELECT portal FROM analytics.portals)
    AND started_at >= :'from' AND started_at < :'to' AND events_late > 0
ORDER BY started_at;
