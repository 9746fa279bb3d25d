-- The number of the next load of a raw file, greater than that of every load before.
select nextval('raw_file.callhouse.loads') as load_no
