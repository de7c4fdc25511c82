-- What the sessions of soak.held had in use, each line "ok" or "grown": the least that a session had in
-- the second fourth of its samples against the least in the last. A session grows until it has computed and
-- read for the first time all that it ever does: models' kernels, plans, the catalog.
\set ON_ERROR_STOP 1
WITH quarters AS (
    SELECT *, ntile(4) OVER (PARTITION BY session ORDER BY moment) AS quarter FROM soak.held
), sessions AS (
    SELECT client, count(*) AS samples, min(bytes) FILTER (WHERE quarter = 2) AS early,
           min(bytes) FILTER (WHERE quarter = 4) AS late
    FROM quarters GROUP BY client, session HAVING count(*) >= 4
), judged AS (
    SELECT *, late > early * 1.05 + CASE WHEN samples < 40 THEN 24e6 ELSE 0.5e6 END AS grown FROM sessions
)
SELECT format('%s: %s sessions of %s, %s samples, %s to %s MB in use, later %s to %s',
              CASE WHEN bool_or(grown) THEN 'grown' ELSE 'ok' END, count(*), client, sum(samples),
              round(min(early) / 1e6, 1), round(max(early) / 1e6, 1), round(min(late) / 1e6, 1), round(max(late) / 1e6, 1))
FROM judged GROUP BY client ORDER BY client;
