-- Make room for the tables of a raw file that are missing: without a version of its schema,
-- the loader makes what is missing. Its list of loads is read before that.
create table if not exists raw._dlt_loads (
    load_id varchar not null,
    schema_name varchar,
    status bigint not null,
    inserted_at timestamptz not null,
    schema_version_hash varchar
);

drop table if exists raw._dlt_version;
