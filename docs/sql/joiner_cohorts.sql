-- Of those who joined rooms in a month, how many became active soon?
--
-- Answer   One row per month: people who joined a room then (one count per room), and how many had activity there
--          on the day of joining or in the 6 or 29 days after it.
-- Caveats  Only joins whose moment is known. The latest cohorts have not had their 30 days yet.

SELECT
    date_trunc('month', j.day)::date AS cohort,
    count(*) AS joined,
    count(*) FILTER (WHERE f.day < j.day + 7) AS active_within_7_days,
    count(*) FILTER (WHERE f.day < j.day + 30) AS active_within_30_days
FROM (
    SELECT portal, room_id, account_id, (min(member_since) AT TIME ZONE 'UTC')::date AS day
    FROM analytics.members
    WHERE portal = (SELECT portal FROM analytics.portals)
    GROUP BY portal, room_id, account_id
    HAVING bool_and(member_since IS NOT NULL)
) AS j
LEFT JOIN LATERAL (
    SELECT min(d.day) AS day
    FROM analytics.activity_daily AS d
    WHERE d.portal = j.portal AND d.room_id = j.room_id AND d.account_id = j.account_id AND d.day >= j.day
) AS f ON true
GROUP BY cohort
ORDER BY cohort;
