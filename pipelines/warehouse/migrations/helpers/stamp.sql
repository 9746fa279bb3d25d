-- Every layout that a raw file has had, and the program that gave it.
create schema if not exists callhouse;

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
