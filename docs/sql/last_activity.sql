-- When was each member of a room last active there?
--
-- Answer   One row per person: their right, the time of their last activity (null: none is recorded), how many
--          events and on how many days; those who were away longest first.
-- Caveats  The mere viewing of an office document leaves no event, so a Viewer's silence says little.
--          Put the id of a room below: without a room of that id there are no rows.

\set room '463996'

SELECT
    m.account_id,
    m.display_name,
    m.access,
    max(d.last_active_at) AS last_active_at,
    coalesce(sum(d.events), 0) AS events,
    count(d.day) AS active_days
FROM (
    SELECT DISTINCT ON (account_id) account_id, display_name, access
    FROM analytics.members
    WHERE portal = (SELECT portal FROM analytics.portals) AND room_id = :'room' AND valid_to IS NULL
    ORDER BY account_id, is_direct DESC, access_rank
) AS m
LEFT JOIN analytics.activity_daily AS d
    ON d.portal = (SELECT portal FROM analytics.portals) AND d.room_id = :'room' AND d.account_id = m.account_id
GROUP BY m.account_id, m.display_name, m.access
ORDER BY last_active_at NULLS FIRST, m.account_id COLLATE "C";
