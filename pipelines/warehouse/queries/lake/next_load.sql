-- The number of the next load into a lake, greater than that of every load before.
select nextval('{catalog}.callhouse_loads') as load_no
