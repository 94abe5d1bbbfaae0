-- name: ListMemberBuckets :many
-- Counted events of the given members by bucket, a bucket being bucket_days UTC
-- days from first_bucket on. position is that in the lists of ids. A member has
-- up to two rows, one of whole days and one of the window's edges, which are in
-- parts as in report.sql. Days are added up member by member, which needs no
-- sort of all of them.
WITH wanted AS (
    SELECT
        unnest(@positions::integer[]) AS position,
        unnest(@room_ids::text[]) AS room_id,
        unnest(@account_ids::text[]) AS account_id
),
shown AS (
    SELECT w.position, r.room_key, a.account_key
    FROM wanted AS w
    INNER JOIN room AS r ON r.portal_id = @portal_id AND NOT r.is_unresolved AND r.room_id = w.room_id
    INNER JOIN account AS a ON a.portal_id = @portal_id AND a.account_id = w.account_id
),
edges AS (
    SELECT
        s.position,
        ((e.occurred_at AT TIME ZONE 'UTC')::date - @first_bucket::date) / @bucket_days::integer AS bucket,
        count(*) AS events
    FROM audit_event AS e
    INNER JOIN shown AS s ON s.room_key = e.room_key AND s.account_key = e.account_key
    WHERE e.portal_id = @portal_id
        AND (
            (e.occurred_at >= @head_since AND e.occurred_at < @head_until) IS TRUE
            AND date_bin('1 hour', e.occurred_at, 'epoch') >= date_bin('1 hour', @head_since::timestamptz, 'epoch') AND date_bin('1 hour', e.occurred_at, 'epoch') < @head_until
            OR (e.occurred_at >= @tail_since AND e.occurred_at < @tail_until) IS TRUE
            AND date_bin('1 hour', e.occurred_at, 'epoch') >= date_bin('1 hour', @tail_since::timestamptz, 'epoch') AND date_bin('1 hour', e.occurred_at, 'epoch') < @tail_until
        )
        AND e.class = ANY(@classes::smallint[])
    GROUP BY s.position, bucket
)
SELECT s.position::integer AS position, x.buckets::integer[] AS buckets, x.events::integer[] AS events
FROM shown AS s
CROSS JOIN LATERAL (
    SELECT array_agg(b.bucket ORDER BY b.bucket) AS buckets, array_agg(b.events ORDER BY b.bucket) AS events
    FROM (
        SELECT
            (d.day - @first_bucket::date) / @bucket_days::integer AS bucket,
            sum(
                CASE WHEN @views::boolean THEN coalesce(d.views, 0) ELSE 0 END
                + CASE WHEN @edits::boolean THEN coalesce(d.edits, 0) ELSE 0 END
                + CASE WHEN @manages::boolean THEN coalesce(d.manages, 0) ELSE 0 END
            ) AS events
        FROM room_day AS d
        WHERE d.portal_id = @portal_id AND d.room_key = s.room_key AND d.account_key = s.account_key
            AND d.day >= @first_day::date AND d.day < @last_day::date
        GROUP BY bucket
    ) AS b
    WHERE b.events > 0
) AS x
WHERE x.buckets IS NOT NULL
UNION ALL
SELECT
    e.position,
    array_agg(e.bucket ORDER BY e.bucket)::integer[],
    array_agg(e.events ORDER BY e.bucket)::integer[]
FROM edges AS e
GROUP BY e.position;
