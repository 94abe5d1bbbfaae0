-- Do reminders bring people back?
--
-- Answer   One row per reminder number (1: the first to a member for a room): how many were sent, how many members
--          came back within 14 days, and on how many days they were active in the 30 days before and after.
-- Caveats  Whoever would have come back anyway counts too. The 30 days after the latest are not over yet. The day of
--          the reminder itself counts as neither before nor after.

SELECT
    m.number,
    count(*) AS sent,
    count(*) FILTER (WHERE m.came_back_at < m.claimed_at + INTERVAL '14 days') AS came_back,
    coalesce(sum(d.days_before), 0) AS days_before,
    coalesce(sum(d.days_after), 0) AS days_after
FROM analytics.reminders AS m
LEFT JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE a.day < (m.claimed_at AT TIME ZONE 'UTC')::date) AS days_before,
        count(*) FILTER (WHERE a.day > (m.claimed_at AT TIME ZONE 'UTC')::date) AS days_after
    FROM analytics.activity_daily AS a
    WHERE a.portal = m.portal AND a.room_id = m.room_id AND a.account_id = m.account_id
        AND a.day >= (m.claimed_at AT TIME ZONE 'UTC')::date - 30 AND a.day <= (m.claimed_at AT TIME ZONE 'UTC')::date + 30
) AS d ON true
WHERE m.portal = (SELECT portal FROM analytics.portals) AND m.state = 'sent'
GROUP BY m.number
ORDER BY m.number;
