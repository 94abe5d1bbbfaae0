-- What an export reads beside the view itself, whose select list is made of its columns.

-- name: ListViewColumns :many
-- The columns of a view for analysts, in their order.
SELECT a.attname::text AS name, a.atttypid::integer AS type_id
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass(@view_name::text) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: ListEventsOfDays :many
-- How many events there are on each UTC day that has some.
SELECT d.day, sum(d.events)::bigint AS events
FROM event_day AS d
WHERE d.portal_id = @portal_id AND d.day >= @first_day::date AND d.day <= @last_day::date
GROUP BY d.day
ORDER BY d.day;
