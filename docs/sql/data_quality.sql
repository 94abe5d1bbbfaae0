-- How far can I trust what the other questions answer?
--
-- Answer   One row per portal: since when and until when all its events are held; how many there are in the
--          window, how many of them count but have no certain room, and of how many the room is inferred.
-- Caveats  Outside [complete_from, complete_until) nothing can be said of anybody's silence.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    p.portal,
    p.complete_from,
    p.complete_until,
    coalesce(sum(h.events), 0) AS events,
    coalesce(sum(h.events) FILTER (
        WHERE h.room_source IN ('unresolved', 'unplaced_move') AND h.class IN ('view', 'edit', 'manage')
    ), 0) AS unattributed_events,
    coalesce(sum(h.events) FILTER (WHERE h.room_source IN ('entry_nearby', 'title')), 0) AS inferred_events
FROM analytics.portals AS p
LEFT JOIN analytics.events_hourly AS h ON h.portal = p.portal AND h.hour >= :'from' AND h.hour < :'to'
GROUP BY p.portal, p.complete_from, p.complete_until;
