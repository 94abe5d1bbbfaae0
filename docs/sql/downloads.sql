-- Who downloaded how much?
--
-- Answer   One row per person: downloads, how many different files or folders, in how many rooms, and the last one.
-- Caveats  A download of a whole folder is one event. Downloads outside rooms are counted too.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    account_id,
    display_name,
    count(*) AS downloads,
    count(DISTINCT target_ids) AS items,
    count(DISTINCT room_id) AS rooms,
    max(occurred_at) AS last_at
FROM analytics.events
WHERE portal = (SELECT portal FROM analytics.portals)
    AND occurred_at >= :'from' AND occurred_at < :'to'
    AND action_type = 'Download' AND class <> 'nobody'
GROUP BY account_id, display_name
ORDER BY downloads DESC, account_id COLLATE "C";
