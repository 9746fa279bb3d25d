-- One row per field of a call's record that was another when the record was read again.
-- The fields are the vendor's own, at any depth. What the vendor has erased is in no
-- version any more, so that it is not repeated here either.
-- @kind incremental call_key
-- @key call_key, record, field, seen_at
-- @not_null is_late, load_id
-- @column call_key: the call
-- @column record: the raw table of the record: a vendor may have several of a call
-- @column field: path in the record, such as calls[0].cost
-- @column seen_at: when the new value was first read, UTC; it changed between that and the read before
-- @column old: the value before, at most 200 characters; NULL = the field was null or not there
-- @column new: the value since, at most 200 characters; NULL = the field is null or not there any more
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
        row_number() over (
            partition by stored.vendor, stored.account, stored.record, stored.record_id
            order by stored.fetched_at, stored._dlt_load_id
        ) as version_no
    from raw.versions as stored
    semi join repeated
        on
            stored.vendor = repeated.vendor
            and stored.account = repeated.account
            and stored.record = repeated.record
            and stored.record_id = repeated.record_id
),

leaves as (
    select
        versions.call_key,
        versions.record,
        versions.version_no,
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
)

select
    pairs.call_key,
    pairs.record,
    pairs.field,
    versions.fetched_at as seen_at,
    left(pairs.was, 200) as old,
    left(pairs.now_is, 200) as new,
    coalesce(versions.fetched_at >= calls.started_at + settings.settle_after, false) as is_late,
    versions.load_id
from pairs
inner join versions
    on
        pairs.call_key = versions.call_key
        and pairs.record = versions.record
        and pairs.version_no = versions.version_no
        and versions.version_no > 1
inner join main.fact_calls as calls
    on pairs.call_key = calls.call_key
left join config.accounts as settings
    on calls.vendor = settings.vendor and calls.account = settings.account
