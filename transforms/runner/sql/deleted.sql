-- inputs.deleted: the records whose last version has no payload. What is stored is read twice,
-- not kept in between, because few versions are without a payload and those with one are large.
with gone as (
    select *
    from {stored} as stored
    where payload is null
    qualify
        row_number() over (
            partition by vendor, record, account, record_id
            order by load_no desc, fetched_at desc
        ) = 1
)

select
    gone.vendor,
    gone.account,
    gone.record_id,
    gone.fetched_at as deleted_at,
    gone._dlt_load_id as load_id
from gone
where
    not exists (
        select 1
        from {stored} as later
        where
            later.payload is not null
            and later.vendor = gone.vendor
            and later.record = gone.record
            and later.account = gone.account
            and later.record_id = gone.record_id
            and (later.load_no, later.fetched_at) > (gone.load_no, gone.fetched_at)
    )
