-- +goose Up

CREATE TABLE exclusion (
    portal_id     integer NOT NULL,
    exclusion_id  integer NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('account', 'domain', 'room', 'group')),
    subject       text NOT NULL,
    reason        text NOT NULL CHECK (reason <> ''),
    added_at      timestamptz NOT NULL,
    expires_at    timestamptz CHECK (expires_at > added_at),
    removed_at    timestamptz,
    PRIMARY KEY (portal_id, exclusion_id)
);

-- One decision on each subject stands; those before it are kept as removed.
CREATE UNIQUE INDEX exclusion_standing ON exclusion (portal_id, kind, subject) WHERE removed_at IS NULL;

COMMENT ON TABLE exclusion IS 'Decisions of an administrator: whom reports and reminders do not judge, and why; removed ones are kept';
COMMENT ON COLUMN exclusion.portal_id IS 'Portal';
COMMENT ON COLUMN exclusion.exclusion_id IS 'Number of the exclusion within its portal, never used again';
COMMENT ON COLUMN exclusion.kind IS 'What is excluded: an account, everybody with an e-mail domain, everybody in a room, everybody in a group';
COMMENT ON COLUMN exclusion.subject IS 'The portal''s own id of the account, room or group; of a domain its name in lower case';
COMMENT ON COLUMN exclusion.reason IS 'Why, in the administrator''s words';
COMMENT ON COLUMN exclusion.added_at IS 'When it was added, UTC';
COMMENT ON COLUMN exclusion.expires_at IS 'First moment it no longer applies, UTC; null: it applies until it is removed';
COMMENT ON COLUMN exclusion.removed_at IS 'When it was removed or replaced by a newer one, UTC; null if it was not';

-- +goose Down
DROP TABLE exclusion;
