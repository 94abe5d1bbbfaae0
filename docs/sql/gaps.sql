-- For which times are events missing, and why?
--
-- Answer   One row per span: its state (gap, accepted_gap, not_fetched), its ends, its length, the cause.
-- Caveats  After complete_until (see data_quality.sql) everything is missing, and is not listed here.

SELECT state, starts_at, ends_at, ends_at - starts_at AS length, gap_id, cause, accept_reason
FROM analytics.coverage
WHERE portal = (SELECT portal FROM analytics.portals) AND state <> 'complete'
ORDER BY starts_at;
