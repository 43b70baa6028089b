-- Aircraft by their hours in the air, and how many of their commands were refused.
-- :flights_min integer = 1  Aircraft with fewer flights are left out.
SELECT
    tail,
    flights,
    CAST(air_time_min AS double precision) / 60 AS air_time_h,
    distance_miles,
    rejected
FROM aircraft_utilisation
WHERE flights >= :flights_min
ORDER BY air_time_min DESC, tail
