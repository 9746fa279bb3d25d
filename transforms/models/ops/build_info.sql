-- One row: the time that the tables are as of, and the settings that decide what is in them.
-- @former_name ops.clock
-- @key as_of
-- @not_null phone_numbers, reporting_time_zone, reporting_currency, service_level_seconds
-- @not_null short_abandon_seconds, min_contained_seconds
-- @accepted phone_numbers: plain, masked, hashed
-- @column as_of: the time that the build was given, UTC
-- @column phone_numbers: plain, masked, hashed: what the published file shows of people's phone
--     numbers, as configured
-- @column reporting_time_zone: IANA name: of call_date, as configured
-- @column reporting_currency: ISO 4217: of cost_reporting, as configured
-- @column service_level_seconds [seconds]: as configured; a queued call answered by then was in time
-- @column short_abandon_seconds [seconds]: as configured; who gives up in less is a short abandon, where
--     the vendor has no word for it
-- @column min_contained_seconds [seconds]: as configured; how long a call must be in a menu to be
--     finished there
select
    now as as_of,
    phone_numbers,
    reporting_time_zone,
    reporting_currency,
    service_level_seconds,
    short_abandon_seconds,
    min_contained_seconds
from config.run
