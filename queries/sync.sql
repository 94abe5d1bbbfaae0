-- name: EndDeadRuns :exec
-- Whoever holds the lock knows that no other run lives.
UPDATE sync_run
SET outcome = 'interrupted', error = @error::text
WHERE portal_id = @portal_id AND outcome = 'running';

-- name: StartRun :one
INSERT INTO sync_run (portal_id, run_id, version, started_at, until_at)
SELECT @portal_id, coalesce(max(run_id), 0) + 1, @version, @started_at, @until_at
FROM sync_run
WHERE portal_id = @portal_id
RETURNING run_id;

-- name: FinishRun :exec
UPDATE sync_run
SET finished_at = @finished_at::timestamptz,
    outcome = @outcome,
    error = nullif(@error::text, ''),
    requests = @requests,
    retries = @retries,
    throttled = @throttled,
    windows = @windows,
    events_listed = @events_listed,
    events_new = @events_new,
    events_late = @events_late,
    max_late_seconds = @max_late_seconds,
    quarantined = @quarantined,
    titles_confirmed = @titles_confirmed,
    titles_contradicted = @titles_contradicted
WHERE portal_id = @portal_id AND run_id = @run_id;

-- name: ListRuns :many
-- The latest runs, newest first.
SELECT *
FROM sync_run
WHERE portal_id = @portal_id
ORDER BY run_id DESC
LIMIT @max_rows;

-- name: AddWindow :exec
INSERT INTO sync_window (portal_id, window_from, window_to, rows, read_at, checked_at, run_id)
VALUES (@portal_id, @window_from, @window_to, @rows, @read_at, @read_at, @run_id);

-- name: AddComplete :exec
-- Of a window that has been added.
INSERT INTO sync_complete AS c (portal_id, spans)
VALUES (@portal_id, tstzmultirange(tstzrange(@since::timestamptz, @until::timestamptz)))
ON CONFLICT (portal_id) DO UPDATE SET spans = c.spans + excluded.spans;

-- name: CutComplete :exec
-- Of windows that have been cut.
UPDATE sync_complete
SET spans = spans - tstzmultirange(tstzrange(@since::timestamptz, @until::timestamptz))
WHERE portal_id = @portal_id;

-- name: CutWindowsAfter :exec
-- The parts of windows that follow a gap, as windows of their own. Of these
-- three queries this is the first. What the portal lists for a part is what is held for it.
INSERT INTO sync_window (portal_id, window_from, window_to, rows, read_at, checked_at, run_id)
SELECT
    w.portal_id, @gap_to::timestamptz, w.window_to,
    (
        SELECT count(*) FROM audit_event AS e
        WHERE e.portal_id = @portal_id
            AND (e.occurred_at BETWEEN @gap_to::timestamptz AND w.window_to) IS TRUE
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', @gap_to::timestamptz, 'epoch') AND w.window_to
    ),
    w.read_at, w.checked_at, w.run_id
FROM sync_window AS w
WHERE w.portal_id = @portal_id AND w.window_from < @gap_to::timestamptz AND w.window_to > @gap_to::timestamptz;

-- name: DropWindowsInside :exec
DELETE FROM sync_window
WHERE portal_id = @portal_id AND window_from >= @gap_from::timestamptz AND window_from < @gap_to::timestamptz;

-- name: CutWindowsBefore :exec
UPDATE sync_window AS w
SET window_to = @gap_from::timestamptz,
    rows = (
        SELECT count(*) FROM audit_event AS e
        WHERE e.portal_id = @portal_id
            AND (e.occurred_at BETWEEN w.window_from AND @gap_from::timestamptz) IS TRUE
            AND date_bin('1 hour', e.occurred_at, 'epoch') BETWEEN date_bin('1 hour', w.window_from, 'epoch') AND @gap_from::timestamptz
    )
WHERE w.portal_id = @portal_id AND w.window_from < @gap_from::timestamptz AND w.window_to > @gap_from::timestamptz;

-- name: ListWindowsSince :many
-- Complete windows that end after since and have not been checked since
-- checked_before, newest first.
SELECT window_from, window_to, rows
FROM sync_window
WHERE portal_id = @portal_id AND window_to > @since AND checked_at < @checked_before
ORDER BY window_from DESC;

-- name: SetWindowsChecked :exec
-- Notes that the windows inside a span have been checked.
UPDATE sync_window
SET checked_at = greatest(checked_at, @checked_at)
WHERE portal_id = @portal_id AND window_from >= @since AND window_to <= @until;

-- name: ListCompleteSpans :many
-- The complete spans, neighbours joined, oldest first.
SELECT lower(r)::timestamptz AS span_from, upper(r)::timestamptz AS span_to
FROM (SELECT unnest(c.spans) AS r FROM sync_complete AS c WHERE c.portal_id = @portal_id) AS spans
ORDER BY 1;

-- name: ListMissingSpans :many
-- What of [since, until) is neither complete nor known not to be had, newest first.
SELECT lower(r)::timestamptz AS span_from, upper(r)::timestamptz AS span_to
FROM (
    SELECT unnest(
        tstzmultirange(tstzrange(@since::timestamptz, @until::timestamptz))
        - coalesce((SELECT c.spans FROM sync_complete AS c WHERE c.portal_id = @portal_id), '{}'::tstzmultirange)
        - coalesce((
            SELECT range_agg(tstzrange(g.gap_from, g.gap_to))
            FROM sync_gap AS g
            WHERE g.portal_id = @portal_id AND g.closed_at IS NULL
        ), '{}'::tstzmultirange)
    ) AS r
) AS spans
ORDER BY 1 DESC;

-- name: ListGaps :many
SELECT * FROM sync_gap WHERE portal_id = @portal_id AND closed_at IS NULL ORDER BY gap_from;

-- name: AddGap :exec
-- A gap that is known already is only tried once more.
INSERT INTO sync_gap (portal_id, gap_id, gap_from, gap_to, is_lost, cause, found_at, tried_at)
SELECT
    @portal_id,
    coalesce(
        (
            SELECT g.gap_id FROM sync_gap AS g
            WHERE g.portal_id = @portal_id AND g.gap_from = @gap_from AND g.gap_to = @gap_to AND g.closed_at IS NULL
        ),
        (SELECT max(g.gap_id) FROM sync_gap AS g WHERE g.portal_id = @portal_id) + 1,
        1
    ),
    @gap_from, @gap_to, @is_lost, @cause, @found_at, @found_at
ON CONFLICT (portal_id, gap_id) DO UPDATE SET tried_at = excluded.tried_at, cause = excluded.cause;

-- name: CloseGaps :exec
-- Gaps that lie in a window which has been completed are none any more. Their
-- rows stay, so that no other gap is ever given their number.
UPDATE sync_gap
SET closed_at = @closed_at::timestamptz
WHERE portal_id = @portal_id AND NOT is_lost AND closed_at IS NULL AND gap_from >= @since AND gap_to <= @until;

-- name: AcceptGap :execrows
UPDATE sync_gap
SET accepted_at = @accepted_at::timestamptz, accept_reason = @accept_reason::text
WHERE portal_id = @portal_id AND gap_id = @gap_id AND closed_at IS NULL;

-- name: AddQuarantined :execrows
INSERT INTO quarantine (portal_id, sha256, body, reason, run_id, window_from, window_to)
VALUES (@portal_id, @sha256, @body, @reason, @run_id, @window_from, @window_to)
ON CONFLICT DO NOTHING;

-- name: NarrowQuarantined :exec
-- Notes that another window lists an item too: neighbours do at their common second. It lies in what they have
-- in common, and so in each of them. Items alike to the byte may also be of windows that do not touch.
UPDATE quarantine
SET window_from = greatest(window_from, @window_from), window_to = least(window_to, @window_to)
WHERE portal_id = @portal_id AND sha256 = @sha256 AND window_from <= @window_to AND window_to >= @window_from;

-- name: CountQuarantined :one
-- Items in quarantine from windows that touch [since, until); those known to the second have one that begins and ends there.
SELECT count(*)
FROM quarantine
WHERE portal_id = @portal_id AND window_from < @until AND (window_to > @since OR window_from >= @since);

-- name: ListTasks :many
SELECT task, done_at, wanted_at FROM sync_task WHERE portal_id = @portal_id;

-- name: FinishTask :exec
INSERT INTO sync_task (portal_id, task, done_at)
VALUES (@portal_id, @task, @done_at::timestamptz)
ON CONFLICT (portal_id, task) DO UPDATE SET done_at = excluded.done_at;

-- name: WantTask :exec
-- Notes an event that calls for doing the task once more.
INSERT INTO sync_task AS t (portal_id, task, wanted_at)
VALUES (@portal_id, @task, @wanted_at::timestamptz)
ON CONFLICT (portal_id, task) DO UPDATE SET wanted_at = greatest(t.wanted_at, excluded.wanted_at);

-- name: GetTitleChecks :one
-- What logs have ever said of rooms that were inferred from titles.
SELECT
    coalesce(sum(titles_confirmed), 0)::bigint AS confirmed,
    coalesce(sum(titles_contradicted), 0)::bigint AS contradicted
FROM sync_run
WHERE portal_id = @portal_id;

-- name: ListQuarantined :many
-- Items that could not be decoded, for another try.
SELECT sha256, body FROM quarantine WHERE portal_id = @portal_id ORDER BY sha256;

-- name: DeleteQuarantined :exec
DELETE FROM quarantine WHERE portal_id = @portal_id AND sha256 = ANY(@hashes::bytea[]);
