-- Which guests were never seen in the portal?
--
-- Answer   One row per guest without any event: status (pending: the invitation is not accepted), when the account
--          was made, in how many rooms they are a member.
-- Caveats  No event is no proof of absence: reading documents leaves none.

SELECT a.account_id, a.display_name, a.status, a.registered_at, count(DISTINCT m.room_id) AS rooms
FROM analytics.accounts AS a
LEFT JOIN analytics.members AS m ON m.portal = a.portal AND m.account_id = a.account_id AND m.valid_to IS NULL
WHERE a.portal = (SELECT portal FROM analytics.portals)
    AND a.is_guest AND a.is_person AND a.status IN ('active', 'pending') AND a.last_seen_at IS NULL
GROUP BY a.account_id, a.display_name, a.status, a.registered_at
ORDER BY a.registered_at, a.account_id COLLATE "C";
