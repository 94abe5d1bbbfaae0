-- What an export reads beside the view itself, whose select list is made of its columns.

-- name: ListViewColumns :many
-- The columns of a view for analysts, in their order.
SELECT a.attname::text AS name, a.atttypid::integer AS type_id
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass(@view_name::text) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: ListEventsOfHours :many
-- How many events there are in each hour that has some and overlaps [since, until).
SELECT h.hour, sum(h.events)::bigint AS events
FROM event_hour AS h
WHERE h.portal_id = @portal_id AND h.hour >= date_bin('1 hour', @since::timestamptz, 'epoch') AND h.hour < @until::timestamptz
GROUP BY h.hour
ORDER BY h.hour;
