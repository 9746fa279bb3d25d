-- Let the next load into a lake have this number, or a greater one.
select setval(
    '{catalog}.callhouse_loads',
    greatest({next_load}, nextval('{catalog}.callhouse_loads')),
    false
) as load_no
