-- ops.data_dictionary: what the headers say, and what DuckDB knows of the columns.
create or replace table ops.data_dictionary as
select
    described.table_schema,
    described.table_name,
    stored.column_index as position,
    described.column_name,
    stored.data_type,
    described.unit,
    described.meaning,
    described.null_meaning,
    described.origins,
    described.personal
from described
inner join duckdb_columns() as stored
    on
        stored.database_name = 'build'
        and described.table_schema = stored.schema_name
        and described.table_name = stored.table_name
        and described.column_name = stored.column_name
order by all;

comment on table ops.data_dictionary is
'One row per column of an analyst table, from the headers of the models.';

comment on column ops.data_dictionary.table_schema is
'main, or ops';

comment on column ops.data_dictionary.table_name is
'of the table';

comment on column ops.data_dictionary.position is
'of the column in the table, from 1';

comment on column ops.data_dictionary.column_name is
'of the column';

comment on column ops.data_dictionary.data_type is
'as DuckDB names it';

comment on column ops.data_dictionary.unit is
'of its numbers; NULL = it has none';

comment on column ops.data_dictionary.meaning is
'what it says';

comment on column ops.data_dictionary.null_meaning is
'what NULL says there; NULL = it is never NULL';

comment on column ops.data_dictionary.origins is
'for each vendor that can fill it, from which of its fields; NULL = not part of a vendor''s record';

comment on column ops.data_dictionary.personal is
'whose: customer, staff, anyone (a text), about_customer; NULL = not personal';
