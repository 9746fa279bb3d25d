-- One row per field of a call's record that was another when the record was read again.
-- The fields are the vendor's own, at any depth. What the vendor tells no more, be it
-- erased, is not repeated here.
-- @kind incremental call_key
-- @key call_key, record, field, seen_at
-- @not_null is_withheld, is_late, load_id
-- @column call_key: the call
-- @column record: the raw table of the record: a vendor may have several of a call
-- @column field: path in the record, such as calls[0].cost
-- @column seen_at: when the new value was first read, UTC; it changed between that and the read before
-- @column old: the value before, at most 200 characters; NULL = the field was null or not there, or is_withheld
-- @column new: the value since, at most 200 characters; NULL = the field is null or not there any more, or is_withheld
-- @column is_withheld: whether a value is left out, as the newest version has none in this field
-- @column is_late: whether the call had passed its settle horizon, and so may have counted as settled before its time
-- @column load_id: the load that brought the new value
with repeated as (
    select
        vendor,
        account,
        record,
        record_id
    from raw.versions
    group by all
    having count(*) > 1
),

versions as (
    select
        stored.vendor || ':' || stored.account || ':' || stored.record_id as call_key,
        stored.record,
        stored.payload,
        stored.fetched_at,
        stored._dlt_load_id as load_id,
        row_number() over versions as version_no,
        version_no = count(*) over (
            partition by stored.vendor, stored.account, stored.record, stored.record_id
        ) as is_newest
    from raw.versions as stored
    semi join repeated
        on
            stored.vendor = repeated.vendor
            and stored.account = repeated.account
            and stored.record = repeated.record
            and stored.record_id = repeated.record_id
    window versions as (
        partition by stored.vendor, stored.account, stored.record, stored.record_id
        order by stored.fetched_at, stored._dlt_load_id
    )
),

leaves as (
    select
        versions.call_key,
        versions.record,
        versions.version_no,
        versions.is_newest,
        substr(tree.fullkey, 3) as field,
        if(tree.type = 'VARCHAR', tree.atom ->> '$', tree.atom::varchar) as said
    from versions
    cross join json_tree(versions.payload) as tree
    where tree.atom is not null
),

sides as (
    select
        *,
        true as is_new
    from leaves
    union all
    select
        * replace (version_no + 1 as version_no),
        false as is_new
    from leaves
),

pairs as (
    select
        call_key,
        record,
        version_no,
        field,
        any_value(said) filter (where not is_new) as was,
        any_value(said) filter (where is_new) as now_is
    from sides
    group by all
    having was is distinct from now_is
),

told as (
    select
        pairs.* exclude (was, now_is),
        newest.said is null and (pairs.was != '' or pairs.now_is != '') as has_untold,
        if(has_untold, null, left(pairs.was, 200)) as was,
        if(has_untold, null, left(pairs.now_is, 200)) as now_is
    from pairs
    left join leaves as newest
        on
            pairs.call_key = newest.call_key
            and pairs.record = newest.record
            and pairs.field = newest.field
            and newest.is_newest
            and newest.said != ''
)

select
    told.call_key,
    told.record,
    told.field,
    versions.fetched_at as seen_at,
    told.was as old,
    told.now_is as new,
    coalesce(told.has_untold, false) as is_withheld,
    coalesce(versions.fetched_at >= calls.started_at + settings.settle_after, false) as is_late,
    versions.load_id
from told
inner join versions
    on
        told.call_key = versions.call_key
        and told.record = versions.record
        and told.version_no = versions.version_no
        and versions.version_no > 1
inner join main.fact_calls as calls
    on told.call_key = calls.call_key
left join config.accounts as settings
    on calls.vendor = settings.vendor and calls.account = settings.account
