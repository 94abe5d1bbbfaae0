-- +goose Up

-- A row is claimed before the mail server is spoken to, so that nothing is ever
-- sent twice. What failed before the mail was handed over is claimed again under
-- its number; all else stays as it is.

CREATE TABLE reminder (
    portal_id       integer NOT NULL,
    room_key        integer NOT NULL,
    account_key     integer NOT NULL,
    number          integer NOT NULL CHECK (number > 0),
    state           text NOT NULL CHECK (state IN ('claimed', 'sent', 'failed', 'uncertain')),
    verdict         text NOT NULL CHECK (verdict IN ('never', 'quiet', 'low')),
    email           text NOT NULL,
    message_id      text NOT NULL,
    window_from     timestamptz NOT NULL,
    window_to       timestamptz NOT NULL CHECK (window_to > window_from),
    claimed_at      timestamptz NOT NULL,
    settled_at      timestamptz,
    attempts        integer NOT NULL DEFAULT 1,
    error           text,
    PRIMARY KEY (portal_id, room_key, account_key, number)
);

COMMENT ON TABLE reminder IS 'Reminders to members without recorded activity, one row per room; a mail has a row for each room that it names';
COMMENT ON COLUMN reminder.portal_id IS 'Portal of the room';
COMMENT ON COLUMN reminder.room_key IS 'Room';
COMMENT ON COLUMN reminder.account_key IS 'Member who was reminded';
COMMENT ON COLUMN reminder.number IS '1 for the first reminder of this member for this room, 2 for the second, and so on';
COMMENT ON COLUMN reminder.state IS 'claimed (being sent, by a run that is at work or has died), sent (the mail server took it), failed (it was not sent, and is due again), uncertain (nobody knows; never repeated by itself)';
COMMENT ON COLUMN reminder.verdict IS 'What the member was judged to be: never, quiet or low';
COMMENT ON COLUMN reminder.email IS 'Address that the mail went to';
COMMENT ON COLUMN reminder.message_id IS 'Message-ID of the mail, without angle brackets: the same for all rooms that it names';
COMMENT ON COLUMN reminder.window_from IS 'Start of the window that was judged, UTC, included';
COMMENT ON COLUMN reminder.window_to IS 'End of the window that was judged, UTC, excluded';
COMMENT ON COLUMN reminder.claimed_at IS 'When the last attempt to send it began, UTC, by roompulse''s clock';
COMMENT ON COLUMN reminder.settled_at IS 'When its outcome was known, UTC, by roompulse''s clock; null while claimed';
COMMENT ON COLUMN reminder.attempts IS 'How often sending it was tried';
COMMENT ON COLUMN reminder.error IS 'Why it failed or is uncertain; null otherwise';

CREATE TABLE reminder_digest (
    portal_id       integer NOT NULL,
    email           text NOT NULL,
    number          integer NOT NULL CHECK (number > 0),
    state           text NOT NULL CHECK (state IN ('claimed', 'sent', 'failed', 'uncertain')),
    name            text NOT NULL,
    rooms           integer NOT NULL,
    members         integer NOT NULL,
    message_id      text NOT NULL,
    window_from     timestamptz NOT NULL,
    window_to       timestamptz NOT NULL CHECK (window_to > window_from),
    claimed_at      timestamptz NOT NULL,
    settled_at      timestamptz,
    attempts        integer NOT NULL DEFAULT 1,
    error           text,
    PRIMARY KEY (portal_id, email, number)
);

COMMENT ON TABLE reminder_digest IS 'Digests to managers of rooms, one row per mail';
COMMENT ON COLUMN reminder_digest.portal_id IS 'Portal of the rooms';
COMMENT ON COLUMN reminder_digest.email IS 'Address of the manager, in lower case';
COMMENT ON COLUMN reminder_digest.number IS '1 for the first digest to this address, 2 for the second, and so on';
COMMENT ON COLUMN reminder_digest.state IS 'As that of reminder';
COMMENT ON COLUMN reminder_digest.name IS 'Display name of the manager; empty if the address was given by --manager-email';
COMMENT ON COLUMN reminder_digest.rooms IS 'Rooms that it is about';
COMMENT ON COLUMN reminder_digest.members IS 'Memberships that it lists as never, quiet or low';
COMMENT ON COLUMN reminder_digest.message_id IS 'Message-ID of the mail, without angle brackets';
COMMENT ON COLUMN reminder_digest.window_from IS 'Start of the window that was judged, UTC, included';
COMMENT ON COLUMN reminder_digest.window_to IS 'End of the window that was judged, UTC, excluded';
COMMENT ON COLUMN reminder_digest.claimed_at IS 'When the last attempt to send it began, UTC, by roompulse''s clock';
COMMENT ON COLUMN reminder_digest.settled_at IS 'When its outcome was known, UTC, by roompulse''s clock; null while claimed';
COMMENT ON COLUMN reminder_digest.attempts IS 'How often sending it was tried';
COMMENT ON COLUMN reminder_digest.error IS 'Why it failed or is uncertain; null otherwise';

-- +goose Down
DROP TABLE reminder_digest;
DROP TABLE reminder;
