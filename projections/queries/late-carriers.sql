-- Carriers by the share of their departures that were more than 15 minutes late, worst first.
-- :month_first integer = 1     From this month of the schedule on,
-- :month_last integer = 12     up to this one.
-- :departures_min integer = 1  Carriers with fewer departures are left out.
SELECT
    carrier,
    CAST(sum(departures) AS bigint) AS departures,
    CAST(sum(departures_delayed) AS bigint) AS departures_delayed,
    CAST(100.0 * sum(departures_delayed) / sum(departures) AS double precision) AS delayed_percent
FROM on_time_by_carrier_month
WHERE month BETWEEN :month_first AND :month_last
GROUP BY carrier
HAVING sum(departures) > 0 AND sum(departures) >= :departures_min
ORDER BY delayed_percent DESC, carrier
