-- +goose Up

CREATE TABLE sync_run (
    portal_id            integer NOT NULL,
    run_id               integer NOT NULL,
    version              text NOT NULL,
    started_at           timestamptz NOT NULL,
    finished_at          timestamptz,
    until_at             timestamptz,
    outcome              text NOT NULL DEFAULT 'running' CHECK (outcome IN ('running', 'done', 'incomplete', 'failed', 'refused', 'interrupted')),
    error                text,
    requests             integer NOT NULL DEFAULT 0,
    retries              integer NOT NULL DEFAULT 0,
    throttled            integer NOT NULL DEFAULT 0,
    windows              integer NOT NULL DEFAULT 0,
    events_listed        bigint NOT NULL DEFAULT 0,
    events_new           bigint NOT NULL DEFAULT 0,
    events_late          bigint NOT NULL DEFAULT 0,
    max_late_seconds     bigint NOT NULL DEFAULT 0,
    quarantined          integer NOT NULL DEFAULT 0,
    titles_confirmed     bigint NOT NULL DEFAULT 0,
    titles_contradicted  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (portal_id, run_id)
);

COMMENT ON TABLE sync_run IS 'Runs of roompulse sync';
COMMENT ON COLUMN sync_run.portal_id IS 'Portal that was synced';
COMMENT ON COLUMN sync_run.run_id IS 'Number of the run within its portal, rising';
COMMENT ON COLUMN sync_run.version IS 'Version of roompulse that ran';
COMMENT ON COLUMN sync_run.started_at IS 'Start, UTC, by the portal''s clock';
COMMENT ON COLUMN sync_run.finished_at IS 'End, UTC, by the portal''s clock as of the start plus the time passed; null while running or after a crash';
COMMENT ON COLUMN sync_run.until_at IS 'End of what the run asked for: the portal''s clock at the start less the settle time, UTC';
COMMENT ON COLUMN sync_run.outcome IS 'running, done, incomplete (done, but some data could not be had), failed, refused (by the portal), interrupted; a run that crashed is running until the next one starts';
COMMENT ON COLUMN sync_run.error IS 'Why it failed; null if it did not';
COMMENT ON COLUMN sync_run.requests IS 'Requests sent to the portal, repeated ones included';
COMMENT ON COLUMN sync_run.retries IS 'Requests that repeated a failed one';
COMMENT ON COLUMN sync_run.throttled IS 'Answers 429 (too many requests)';
COMMENT ON COLUMN sync_run.windows IS 'Windows completed';
COMMENT ON COLUMN sync_run.events_listed IS 'Events read, repeated ones left out within a window';
COMMENT ON COLUMN sync_run.events_new IS 'Events not known before';
COMMENT ON COLUMN sync_run.events_late IS 'New events in windows that were complete before';
COMMENT ON COLUMN sync_run.max_late_seconds IS 'Longest time in seconds between the date of such an event and the last reading or check that lacked it';
COMMENT ON COLUMN sync_run.quarantined IS 'Items met for the first time that could not be decoded';
COMMENT ON COLUMN sync_run.titles_confirmed IS 'Events whose room, inferred from a title, a room''s log confirmed';
COMMENT ON COLUMN sync_run.titles_contradicted IS 'Events whose room, inferred from a title, a room''s log corrected';

CREATE TABLE sync_window (
    portal_id    integer NOT NULL,
    window_from  timestamptz NOT NULL,
    window_to    timestamptz NOT NULL CHECK (window_to > window_from),
    rows         integer NOT NULL,
    read_at      timestamptz NOT NULL,
    checked_at   timestamptz NOT NULL,
    run_id       integer NOT NULL,
    PRIMARY KEY (portal_id, window_from)
);

COMMENT ON TABLE sync_window IS 'Spans of time for which all events of the portal are here; spans do not overlap';
COMMENT ON COLUMN sync_window.portal_id IS 'Portal';
COMMENT ON COLUMN sync_window.window_from IS 'Start of the span, UTC, included';
COMMENT ON COLUMN sync_window.window_to IS 'End of the span, UTC, excluded';
COMMENT ON COLUMN sync_window.rows IS 'Rows the portal listed from window_from to window_to, both included';
COMMENT ON COLUMN sync_window.read_at IS 'Portal time, UTC, when the span was read';
COMMENT ON COLUMN sync_window.checked_at IS 'Portal time, UTC, when the span was last read or checked for late events';
COMMENT ON COLUMN sync_window.run_id IS 'Sync run that read it';

-- What all windows of a portal make together, kept in the transaction that adds or cuts one: reports ask
-- for it, and a portal has as many windows as its history is long.
CREATE TABLE sync_complete (
    portal_id  integer PRIMARY KEY,
    spans      tstzmultirange NOT NULL
);

COMMENT ON TABLE sync_complete IS 'The spans of sync_window of each portal, neighbours joined; a portal has no row before its first window';
COMMENT ON COLUMN sync_complete.portal_id IS 'Portal';
COMMENT ON COLUMN sync_complete.spans IS 'Spans of time for which all events of the portal are here, UTC, starts included, ends excluded';

CREATE TABLE sync_gap (
    portal_id      integer NOT NULL,
    gap_id         integer NOT NULL,
    gap_from       timestamptz NOT NULL,
    gap_to         timestamptz NOT NULL CHECK (gap_to > gap_from),
    is_lost        boolean NOT NULL,
    cause          text NOT NULL,
    found_at       timestamptz NOT NULL,
    tried_at       timestamptz NOT NULL,
    closed_at      timestamptz,
    accepted_at    timestamptz,
    accept_reason  text,
    PRIMARY KEY (portal_id, gap_id)
);

COMMENT ON TABLE sync_gap IS 'Spans of time that sync could not complete, those closed since included';
COMMENT ON COLUMN sync_gap.portal_id IS 'Portal';
COMMENT ON COLUMN sync_gap.gap_id IS 'Number of the gap within its portal';
COMMENT ON COLUMN sync_gap.gap_from IS 'Start, UTC, included';
COMMENT ON COLUMN sync_gap.gap_to IS 'End, UTC, excluded';
COMMENT ON COLUMN sync_gap.is_lost IS 'True: the portal was restored or moved and has lost the events; false: it would not list them whole, and sync tries again daily';
COMMENT ON COLUMN sync_gap.cause IS 'Why it could not be completed';
COMMENT ON COLUMN sync_gap.found_at IS 'Portal time, UTC, when it was found';
COMMENT ON COLUMN sync_gap.tried_at IS 'Portal time, UTC, when it was last tried';
COMMENT ON COLUMN sync_gap.closed_at IS 'Portal time, UTC, when sync completed it; null if it is still a gap';
COMMENT ON COLUMN sync_gap.accepted_at IS 'When an administrator accepted it, UTC; null if none did';
COMMENT ON COLUMN sync_gap.accept_reason IS 'The administrator''s reason';

CREATE TABLE sync_task (
    portal_id  integer NOT NULL,
    task       text NOT NULL,
    done_at    timestamptz,
    wanted_at  timestamptz,
    PRIMARY KEY (portal_id, task)
);

COMMENT ON TABLE sync_task IS 'When the parts of sync that are not done on every run were last done';
COMMENT ON COLUMN sync_task.portal_id IS 'Portal';
COMMENT ON COLUMN sync_task.task IS 'rooms, accounts, members: the lists; logs: the daily reading of rooms'' logs; check: the check of everything; gaps: another try at gaps';
COMMENT ON COLUMN sync_task.done_at IS 'Portal time, UTC, as of which it was done; null if it never was';
COMMENT ON COLUMN sync_task.wanted_at IS 'Latest event, UTC, that calls for doing it once more; null if there was none';

-- +goose Down
DROP TABLE sync_task;
DROP TABLE sync_gap;
DROP TABLE sync_complete;
DROP TABLE sync_window;
DROP TABLE sync_run;
