-- Rows that say failed stand for no mail: they hold up nothing, and the next
-- claim takes their number over.

-- name: ListReminded :many
-- For each room and member the number and the time of the newest reminder that
-- did not fail, and the time of the newest that did; 0 and year 1 if there is none.
SELECT
    r.room_id, a.account_id,
    coalesce(max(m.number) FILTER (WHERE m.state <> 'failed'), 0)::integer AS number,
    coalesce(max(m.claimed_at) FILTER (WHERE m.state <> 'failed'), '0001-01-01 00:00:00+00')::timestamptz AS claimed_at,
    coalesce(max(m.claimed_at) FILTER (WHERE m.state = 'failed'), '0001-01-01 00:00:00+00')::timestamptz AS failed_at
FROM reminder AS m
INNER JOIN room AS r ON r.portal_id = m.portal_id AND r.room_key = m.room_key
INNER JOIN account AS a ON a.portal_id = m.portal_id AND a.account_key = m.account_key
WHERE m.portal_id = @portal_id
GROUP BY r.room_id, a.account_id;

-- name: ListDigested :many
-- ListReminded for digests.
SELECT
    d.email,
    coalesce(max(d.number) FILTER (WHERE d.state <> 'failed'), 0)::integer AS number,
    coalesce(max(d.claimed_at) FILTER (WHERE d.state <> 'failed'), '0001-01-01 00:00:00+00')::timestamptz AS claimed_at,
    coalesce(max(d.claimed_at) FILTER (WHERE d.state = 'failed'), '0001-01-01 00:00:00+00')::timestamptz AS failed_at
FROM reminder_digest AS d
WHERE d.portal_id = @portal_id
GROUP BY d.email;

-- name: ClaimReminder :execrows
-- One row, or none if the number is taken.
INSERT INTO reminder (
    portal_id, room_key, account_key, number, state, verdict, email, message_id, window_from, window_to, claimed_at
)
SELECT
    r.portal_id, r.room_key, a.account_key, @number::integer, 'claimed', @verdict::text, @email::text, @message_id::text,
    @window_from::timestamptz, @window_to::timestamptz, @claimed_at::timestamptz
FROM room AS r
INNER JOIN account AS a ON a.portal_id = r.portal_id AND a.account_id = @account_id::text
WHERE r.portal_id = @portal_id AND NOT r.is_unresolved AND r.room_id = @room_id::text
ON CONFLICT (portal_id, room_key, account_key, number) DO UPDATE
SET
    state = 'claimed', verdict = excluded.verdict, email = excluded.email, message_id = excluded.message_id,
    window_from = excluded.window_from, window_to = excluded.window_to,
    claimed_at = excluded.claimed_at, settled_at = NULL, attempts = reminder.attempts + 1, error = NULL
WHERE reminder.state = 'failed';

-- name: ClaimDigest :execrows
-- One row, or none if the number is taken.
INSERT INTO reminder_digest (
    portal_id, email, number, state, name, rooms, members, message_id, window_from, window_to, claimed_at
)
VALUES (
    @portal_id, @email, @number, 'claimed', @name, @rooms, @members, @message_id, @window_from, @window_to, @claimed_at
)
ON CONFLICT (portal_id, email, number) DO UPDATE
SET
    state = 'claimed', name = excluded.name, rooms = excluded.rooms, members = excluded.members,
    message_id = excluded.message_id, window_from = excluded.window_from, window_to = excluded.window_to,
    claimed_at = excluded.claimed_at, settled_at = NULL, attempts = reminder_digest.attempts + 1, error = NULL
WHERE reminder_digest.state = 'failed';

-- name: SettleReminders :execrows
-- The outcome of a mail that is claimed.
UPDATE reminder
SET state = @state, settled_at = @settled_at::timestamptz, error = nullif(@error::text, '')
WHERE portal_id = @portal_id AND message_id = @message_id AND state = 'claimed';

-- name: SettleDigest :execrows
-- The outcome of a digest that is claimed.
UPDATE reminder_digest
SET state = @state, settled_at = @settled_at::timestamptz, error = nullif(@error::text, '')
WHERE portal_id = @portal_id AND message_id = @message_id AND state = 'claimed';

-- name: AbandonReminders :execrows
-- Claims that a run left behind when it died.
UPDATE reminder
SET state = 'uncertain', settled_at = @settled_at::timestamptz, error = @error::text
WHERE portal_id = @portal_id AND state = 'claimed';

-- name: AbandonDigests :execrows
-- Claims that a run left behind when it died.
UPDATE reminder_digest
SET state = 'uncertain', settled_at = @settled_at::timestamptz, error = @error::text
WHERE portal_id = @portal_id AND state = 'claimed';

-- name: ListReminders :many
-- All reminders, newest first, each with the member's first counted event in the
-- room after it: on the day of the reminder itself that is an upper bound,
-- since rollups keep the first and the last event of a day. Year 1 if there is none.
SELECT
    r.room_id, r.title, a.account_id, a.name, m.number, m.state, m.verdict, m.email, m.message_id,
    m.window_from, m.window_to, m.claimed_at, m.settled_at, m.attempts, m.error,
    coalesce(back.at, '0001-01-01 00:00:00+00')::timestamptz AS came_back_at
FROM reminder AS m
INNER JOIN room AS r ON r.portal_id = m.portal_id AND r.room_key = m.room_key
INNER JOIN account AS a ON a.portal_id = m.portal_id AND a.account_key = m.account_key
LEFT JOIN LATERAL (
    SELECT min(t.at) AS at
    FROM room_day AS d
    CROSS JOIN LATERAL (
        VALUES (d.view_first_at), (d.view_last_at), (d.edit_first_at), (d.edit_last_at), (d.manage_first_at), (d.manage_last_at)
    ) AS t (at)
    WHERE d.portal_id = m.portal_id AND d.room_key = m.room_key AND d.account_key = m.account_key
        AND d.day >= (m.claimed_at AT TIME ZONE 'UTC')::date
        AND t.at > m.claimed_at
) AS back ON true
WHERE m.portal_id = @portal_id
ORDER BY m.claimed_at DESC, a.account_id COLLATE "C", r.room_id COLLATE "C", m.number DESC;

-- name: ListDigests :many
-- All digests, newest first.
SELECT * FROM reminder_digest AS d
WHERE d.portal_id = @portal_id
ORDER BY d.claimed_at DESC, d.email COLLATE "C", d.number DESC;
