-- How many of a month's active people were active in the month before?
--
-- Answer   One row per month: people with activity in any room, and how many of them came back from the month before.
-- Caveats  Months are counted from their first day, and the one before the first is read too. If data begin no earlier,
--          nobody can have come back.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT
    m.month,
    count(*) AS people,
    count(*) FILTER (WHERE m.previous = m.month - INTERVAL '1 month') AS came_back
FROM (
    SELECT account_id, month, lag(month) OVER (PARTITION BY account_id ORDER BY month) AS previous
    FROM (
        SELECT DISTINCT account_id, date_trunc('month', day)::date AS month
        FROM analytics.activity_daily
        WHERE portal = (SELECT portal FROM analytics.portals)
            AND day >= date_trunc('month', :'from'::date)::date - INTERVAL '1 month' AND day < :'to'
    ) AS active
) AS m
WHERE m.month >= date_trunc('month', :'from'::date)::date
GROUP BY m.month
ORDER BY m.month;
