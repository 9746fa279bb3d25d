-- One row per field of a call's record that was another when the record was read again.
-- The fields are the vendor's own, at any depth. A value that the newest version does
-- not have any more, such as an erased one, is left out.
-- @kind incremental call_key
-- @key call_key, record, field, seen_at
-- @not_null is_withheld, is_late, load_id
-- @personal anyone: old, new
-- @column call_key: the call
-- @column record: the raw table of the record: a vendor may have several of a call
-- @column field: path in the record, such as calls[0].cost; is_deleted where its vendor no longer
--     listed it, or listed it again
-- @column seen_at: when the new value was first read, UTC; it changed between that and the read
--     before
-- @column old [may be a number]: the value before, at most 200 characters; NULL = the field was null or not there, or
--     is_withheld
-- @column new [may be a number]: the value since, at most 200 characters; NULL = the field is null or not there any
--     more, or is_withheld
-- @column is_withheld: whether a value is left out, as the newest version has none in this field
-- @column is_late: whether the call had passed its settle horizon, and so may have counted as
--     settled before its time
-- @column load_id: the load that brought the new value
with recursive repeated as (
    select
        vendor,
        account,
        record,
        record_id
    from inputs.versions
    group by all
    having count(*) > 1
),

versions as (
    select
        stored.vendor || ':' || stored.account || ':' || stored.record_id as call_key,
        stored.record,
        stored.payload,
        stored.fetched_at,
        stored.load_no,
        stored._dlt_load_id as load_id,
        row_number() over in_turn as version_no,
        count(*) over of_record as version_count
    from inputs.versions as stored
    semi join repeated
        on
            stored.vendor = repeated.vendor
            and stored.account = repeated.account
            and stored.record = repeated.record
            and stored.record_id = repeated.record_id
    window
        of_record as (
            partition by stored.vendor, stored.account, stored.record, stored.record_id
        ),
        in_turn as (
            partition by stored.vendor, stored.account, stored.record, stored.record_id
            order by stored.load_no, stored.fetched_at
        )
),

-- The fields of the records, a level of them at a time. An object or a list whose text is
-- the same in all versions is not opened, so that a large record costs what changed in it.
-- The first character of a part shows its type without reading all of it.
parts as (
    select
        call_key,
        record,
        version_no,
        version_count,
        '' as field,
        ltrim(payload, e' \t\r\n') as part
    from versions
    union all
    select
        call_key,
        record,
        version_no,
        version_count,
        field || unnest(
            if(
                part[1] = '{',
                list_transform(json_keys(part), lambda name: '.' || name),
                list_transform(range(len(members)), lambda place: '[' || place || ']')
            )
        ) as field,
        unnest(members) as part
    from (
        select
            *,
            if(part[1] = '{', part -> '$.*', part -> '$[*]')::varchar[] as members
        from parts
        where part[1] in ('{', '[')
        window of_field as (partition by call_key, record, field)
        qualify
            count(*) over of_field < version_count
            or min(md5(part)) over of_field != max(md5(part)) over of_field
    ) as opened
),

leaves as (
    select
        call_key,
        record,
        version_no,
        version_no = version_count as is_newest,
        substr(field, 2) as field,
        if(part[1] = '"', part ->> '$', part) as whole,
        left(whole, 200) as value,
        if(length(whole) > 200, md5(whole), null) as digest
    from parts
    where part[1] not in ('{', '[', 'n')
),

newest as (
    select distinct
        call_key,
        record,
        field
    from leaves
    where is_newest and value != ''
),

sides as (
    select
        * exclude (whole),
        true as is_new
    from leaves
    union all
    select
        * exclude (whole) replace (version_no + 1 as version_no),
        false as is_new
    from leaves
),

pairs as (
    select
        call_key,
        record,
        version_no,
        field,
        any_value(value) filter (where not is_new) as was,
        any_value(value) filter (where is_new) as now_is
    from sides
    group by all
    having
        was is distinct from now_is
        or any_value(digest) filter (where not is_new)
        is distinct from any_value(digest) filter (where is_new)
),

shown as (
    select
        pairs.* exclude (was, now_is),
        newest.field is null and (pairs.was != '' or pairs.now_is != '') as is_withheld,
        if(is_withheld, null, pairs.was) as was,
        if(is_withheld, null, pairs.now_is) as now_is
    from pairs
    left join newest
        on
            pairs.call_key = newest.call_key
            and pairs.record = newest.record
            and pairs.field = newest.field
),

fields as (
    select
        shown.call_key,
        shown.record,
        shown.field,
        versions.fetched_at as seen_at,
        shown.was as old,
        shown.now_is as new,
        coalesce(shown.is_withheld, false) as is_withheld,
        versions.load_id
    from shown
    inner join versions
        on
            shown.call_key = versions.call_key
            and shown.record = versions.record
            and shown.version_no = versions.version_no
            and versions.version_no > 1
),

-- Of the records that were ever found deleted: each read that has it or not.
found as (
    select
        vendor || ':' || account || ':' || record_id as call_key,
        record,
        fetched_at,
        load_no,
        load_id,
        true as is_deleted
    from inputs.tombstones
    union all
    select
        stored.vendor || ':' || stored.account || ':' || stored.record_id as call_key,
        stored.record,
        stored.fetched_at,
        stored.load_no,
        stored._dlt_load_id as load_id,
        false as is_deleted
    from inputs.versions as stored
    semi join inputs.tombstones as deleted
        on
            stored.vendor = deleted.vendor
            and stored.account = deleted.account
            and stored.record = deleted.record
            and stored.record_id = deleted.record_id
),

turns as (
    select
        *,
        lag(is_deleted) over (
            partition by call_key, record
            order by load_no, fetched_at
        ) as was_deleted
    from found
),

changes as (
    select * from fields
    union all
    select
        call_key,
        record,
        'is_deleted' as field,
        fetched_at as seen_at,
        was_deleted::varchar as old,
        is_deleted::varchar as new,
        false as is_withheld,
        load_id
    from turns
    where is_deleted != was_deleted
)

select
    changes.call_key,
    changes.record,
    changes.field,
    changes.seen_at,
    changes.old,
    changes.new,
    changes.is_withheld,
    coalesce(changes.seen_at >= calls.started_at + settings.settle_after, false) as is_late,
    changes.load_id
from changes
inner join main.fact_calls as calls
    on changes.call_key = calls.call_key
left join config.accounts as settings
    on calls.vendor = settings.vendor and calls.account = settings.account
