-- What do people do in the portal?
--
-- Answer   One row per action and class: events, people; most frequent first.
-- Caveats  The portal's own acts in a person's name are left out. action is null where roompulse knows no name.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT action_id, action, class, count(*) AS events, count(DISTINCT account_id) AS people
FROM analytics.events
WHERE portal = (SELECT portal FROM analytics.portals)
    AND occurred_at >= :'from' AND occurred_at < :'to' AND class <> 'nobody'
GROUP BY action_id, action, class
ORDER BY events DESC, action_id, class;
