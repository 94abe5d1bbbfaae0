-- In which rooms does one person do nearly all the work?
--
-- Answer   One row per room with at least 20 edits of which one person made 80 % or more: that person and their share.
-- Caveats  Of an edit by several people at once DocSpace records one of them.

\set from '2026-10-01'
\set to '2026-11-01'

SELECT room_id, room_title, account_id, display_name, edits, room_edits, round(100.0 * edits / room_edits, 1) AS percent
FROM (
    SELECT
        room_id, room_title, account_id, display_name,
        sum(edits) AS edits,
        sum(sum(edits)) OVER (PARTITION BY room_id) AS room_edits
    FROM analytics.activity_daily
    WHERE portal = (SELECT portal FROM analytics.portals) AND day >= :'from' AND day < :'to'
    GROUP BY room_id, room_title, account_id, display_name
) AS shares
WHERE room_edits >= 20 AND edits >= 0.8 * room_edits
ORDER BY percent DESC, room_id COLLATE "C";
