-- Which organizations work in the rooms?
--
-- Answer   One row per e-mail domain: accounts that are not deleted, how many of them were active, and events.
-- Caveats  An address is what the account has now. People without an address are under null.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    lower(split_part(a.email, '@', 2)) AS domain,
    count(*) AS accounts,
    count(d.account_id) AS active,
    coalesce(sum(d.events), 0) AS events
FROM analytics.accounts AS a
LEFT JOIN (
    SELECT account_id, sum(events) AS events
    FROM analytics.activity_daily
    WHERE portal = (SELECT portal FROM analytics.portals) AND day >= :'from' AND day < :'to'
    GROUP BY account_id
) AS d ON d.account_id = a.account_id
WHERE a.portal = (SELECT portal FROM analytics.portals)
    AND a.is_person AND a.status IN ('active', 'pending', 'disabled')
GROUP BY lower(split_part(a.email, '@', 2))
ORDER BY events DESC, lower(split_part(a.email, '@', 2)) COLLATE "C";
