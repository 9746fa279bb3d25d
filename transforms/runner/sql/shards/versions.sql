-- How many versions a shard has, and how many can be read.
select
    (select sum(versions)::bigint from {records}) as planned,
    (select count(*) from {marked} as marked) as found
