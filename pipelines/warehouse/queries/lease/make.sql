-- The leases of the lakes of a database, and what lets nobody commit to a lake without its one.
select pg_advisory_xact_lock(hashtext('callhouse.make'));

create schema if not exists callhouse;

create table if not exists callhouse.leases (
    name text primary key,
    token uuid,
    session integer,
    holder text,
    since timestamptz
);

create or replace function callhouse.fence() returns trigger language plpgsql as $$
begin
    -- Who takes the lease over changes this row, and waits until this commit is done or
    -- undone. For a transaction that began before that, this is an error.
    perform 1
    from callhouse.leases
    where
        name = tg_argv[0]
        and token = nullif(current_setting('callhouse.token', true), '')::uuid
        and session in (select pid from pg_locks where locktype = 'advisory' and granted)
    for share;
    if not found then
        raise exception 'this process has not, or no longer, the lease %', tg_argv[0];
    end if;
    -- From here on the commit takes moments, unless the process is stopped.
    perform set_config('idle_in_transaction_session_timeout', '{patience}', true);
    return new;
end
$$;

create or replace function callhouse.without_texts() returns trigger language plpgsql as $$
declare
    kind text;
begin
    execute format(
        'select column_type from %I.ducklake_column where table_id = $1 and column_id = $2 limit 1',
        tg_table_schema
    ) into kind using new.table_id, new.column_id;
    if kind is null or kind !~ '^(u?int|float|decimal|boolean|date|time|interval)' then
        new.min_value := null;
        new.max_value := null;
    end if;
    return new;
end
$$;
