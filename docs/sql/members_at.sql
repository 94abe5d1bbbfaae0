-- Who was a member of a room at a moment, with which right, and since when?
--
-- Answer   One row per person: the right (their own before those of groups, then the highest), the group that
--          gave it (null: it was their own), and since when they had been a member (null: nobody knows).
-- Caveats  Before rooms.members_known_from, members are worked out from the room's log: people deleted since
--          are missing. The right then is that of the first list: logs tell who came and went, not with which right.
--          Put the id of a room below: without a room of that id there are no rows.

\set room '463996'
\set at '2026-11-01 00:00+00'

SELECT DISTINCT ON (account_id COLLATE "C")
    account_id,
    display_name,
    access,
    group_name,
    nullif(min(coalesce(member_since, '-infinity')) OVER (PARTITION BY account_id), '-infinity') AS member_since
FROM analytics.members
WHERE portal = (SELECT portal FROM analytics.portals) AND room_id = :'room'
    AND (valid_from IS NULL OR valid_from <= :'at')
    AND (valid_to IS NULL OR valid_to > :'at')
ORDER BY account_id COLLATE "C", is_direct DESC, access_rank;
