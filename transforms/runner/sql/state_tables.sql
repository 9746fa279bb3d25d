-- What a built file remembers of its build.
create table if not exists ops.built_loads (vendor varchar, load_id varchar);

create table if not exists ops.build_state (
    fingerprint varchar,
    layout integer,
    program varchar
);

create table if not exists ops.kept_vendors (vendor varchar)
