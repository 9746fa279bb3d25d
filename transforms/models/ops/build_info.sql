-- One row: the time that the tables are as of, the zone of their dates, and what they show of phone
-- numbers.
-- @former_name ops.clock
-- @key as_of
-- @not_null reporting_time_zone, phone_numbers
-- @accepted phone_numbers: plain, masked, hashed
-- @column as_of: the time that the build was given, UTC
-- @column reporting_time_zone: IANA name, as configured: fact_calls.call_date is of this zone
-- @column phone_numbers: plain, masked, hashed: what the published file shows of people's phone
--     numbers, as configured
select
    now as as_of,
    reporting_time_zone,
    phone_numbers
from config.run
