-- One row: the time that the tables are as of.
-- @former_name ops.clock
-- @key as_of
-- @column as_of: the time that the build was given, UTC
select now as as_of
from config.run
