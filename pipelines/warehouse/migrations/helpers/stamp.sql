-- Every layout that a raw file has had, and the program that gave it; the numbers of its
-- loads.
create schema if not exists callhouse;

create sequence if not exists callhouse.loads;

create table if not exists callhouse.layout (
    layout integer,
    program varchar,
    since timestamptz
);

insert into callhouse.layout
select
    getvariable('layout') as layout,
    getvariable('program') as program,
    now() as since;
