-- The statements that make all tables and views of a database in another one, with their rows
-- and comments. Both are attached, and the other one is in use: a view has no name of it.
with columns as (
    select
        schema_name,
        table_name,
        column_index,
        '"' || column_name || '"' as name,
        data_type,
        is_nullable,
        comment,
        '"' || schema_name || '"."' || table_name || '"' as place
    from duckdb_columns()
    where database_name = '{source}' and not internal
),

tables as (
    select
        schema_name,
        comment,
        '"' || schema_name || '"."' || table_name || '"' as place
    from duckdb_tables()
    where database_name = '{source}' and not internal
),

views as (
    select
        schema_name,
        comment,
        sql,
        '"' || schema_name || '"."' || view_name || '"' as place
    from duckdb_views()
    where database_name = '{source}' and not internal
),

made as (
    select
        place,
        string_agg(
            name || ' ' || data_type || if(is_nullable, '', ' not null'),
            ', ' order by column_index
        ) as columns
    from columns
    group by place
),

statements as (
    select distinct
        1 as step,
        schema_name as place,
        'create schema if not exists "' || schema_name || '"' as statement
    from (
        select schema_name from tables
        union all
        select schema_name from views
    ) as all_of_them
    union all
    select
        2 as step,
        tables.place,
        'create table ' || tables.place || ' (' || made.columns || ')' as statement
    from tables inner join made on tables.place = made.place
    union all
    select
        3 as step,
        place,
        'insert into ' || place || ' from "{source}".' || place as statement
    from tables
    union all
    select
        4 as step,
        place,
        'comment on table ' || place || ' is '''
        || replace(comment, '''', '''''') || '''' as statement
    from tables
    where comment is not null
    union all
    select
        5 as step,
        columns.place,
        'comment on column ' || columns.place || '.' || columns.name || ' is '''
        || replace(columns.comment, '''', '''''') || '''' as statement
    from columns inner join tables on columns.place = tables.place
    where columns.comment is not null
    union all
    select
        6 as step,
        place,
        -- That of a lake has no schema in its name.
        regexp_replace(sql, '^CREATE VIEW .*? AS ', 'create view ' || place || ' as ') as statement
    from views
    union all
    select
        7 as step,
        place,
        'comment on view ' || place || ' is '''
        || replace(comment, '''', '''''') || '''' as statement
    from views
    where comment is not null
)

select statement
from statements
order by step, place
