-- What did one person do?
--
-- Answer   The last 200 events of the window, newest first: time, action, what it counts as, the room and how it is
--          known, the portal's own sentence.
-- Caveats  Of class none and nobody are acts that are no activity. Personal data: have a reason.
--          Put the id of an account below: without an account of that id there are no rows.

\set from '2026-10-01'
\set to '2026-11-01'
\set account '66faa6e4-f133-11ea-b126-00ffeec8b4ef'

SELECT occurred_at, event_id, action, class, room_id, room_title, room_source, unresolved_title, description
FROM analytics.events
WHERE portal = (SELECT portal FROM analytics.portals)
    AND account_id = :'account' AND occurred_at >= :'from' AND occurred_at < :'to'
ORDER BY occurred_at DESC, event_id DESC
LIMIT 200;
