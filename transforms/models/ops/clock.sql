-- One row: the time that the tables are as of.
-- @key as_of
select now as as_of
from config.callhouse
