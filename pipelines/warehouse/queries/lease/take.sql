-- Write down who has a lease; a commit of the one before it is waited for.
insert into callhouse.leases (name, token, session, holder, since)
values (%s, %s, pg_backend_pid(), %s, now())
on conflict (name) do update set
    token = excluded.token,
    session = excluded.session,
    holder = excluded.holder,
    since = excluded.since
