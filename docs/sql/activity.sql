-- What did everybody do in each room, over a window of any two moments?
--
-- Answer   The rows of roompulse report activity: one per room and person with activity.
-- Caveats  Not on Citus. Whole UTC days are cheap; of the days that the window cuts, events are counted.

\set from '2026-10-01 08:00+02'
\set to '2026-11-01 08:00+01'

SELECT room_id, title, account_id, display_name, member, events, views, edits, manages, active_days, first_active_at, last_active_at
FROM analytics.portals AS p
CROSS JOIN LATERAL analytics.activity(p.portal, :'from', :'to') AS a
WHERE p.portal = (SELECT portal FROM analytics.portals)
ORDER BY room_id COLLATE "C", account_id COLLATE "C";
