-- One row: the time that the tables are as of, and what they show of phone numbers.
-- @former_name ops.clock
-- @key as_of
-- @not_null phone_numbers
-- @accepted phone_numbers: plain, masked, hashed
-- @column as_of: the time that the build was given, UTC
-- @column phone_numbers: plain, masked, hashed: what the published file shows of people's phone
--     numbers, as configured
select
    now as as_of,
    phone_numbers
from config.run
