-- One row per load, account, table of records and field with a type of value: how many of the
-- versions that the load brought have it. What is below a field that is documented as a whole,
-- such as a text of JSON, is not looked into; lists and objects are counted by what is in them.
-- @kind incremental load_id
-- @key vendor, load_id, account, record, path, type
-- @not_null read_on, versions, recent, loaded, loaded_recent, is_documented
-- @accepted type: text, number, boolean, object, list, null
-- @column vendor: its name in the configuration
-- @column load_id: the load
-- @column account: the account's alias in the configuration
-- @column record: the raw table
-- @column path: path of the field in the record, such as calls[].cost; of a key with many digits in
--     it these are #
-- @column type: of the value in JSON; null where the field is there without a value
-- @column read_on: the UTC day of the load
-- @column is_documented: whether the field, or one that it is a part of, is in the list of documented
--     fields of its vendor
-- @column versions [versions]: versions of records that have the field with such a value
-- @column recent [versions]: of them those of records that were at most seven days old
-- @column loaded [versions]: all versions of such records that the load brought
-- @column loaded_recent [versions]: of them those of records that were at most seven days old
-- @column example: a value of a field that is not documented, letters as x and digits as 9; NULL =
--     the field is documented, or there is no value
with versions as (
    select
        vendor,
        _dlt_load_id as load_id,
        account,
        record,
        (fetched_at at time zone 'UTC')::date as read_on,
        event_at >= fetched_at - interval 7 day as is_recent,
        json_structure(payload) as structure,
        payload
    from inputs.versions
),

-- Each structure is taken apart once, in one of its versions.
structures as (
    select
        vendor,
        load_id,
        account,
        record,
        min(read_on) over of_load as read_on,
        count(*) as versions,
        count(*) filter (where is_recent) as recent,
        sum(count(*)) over of_load as loaded,
        sum(count(*) filter (where is_recent)) over of_load as loaded_recent,
        min(payload) as payload
    from versions
    group by vendor, load_id, account, record, read_on, structure
    window of_load as (partition by vendor, load_id, account, record)
),

opened as (
    select
        structures.* exclude (payload),  -- noqa: RF02
        replace(regexp_replace(
            regexp_replace(substr(node.fullkey, 3), '\[\d+\]', '[]', 'g'), '\d{5,}', '#', 'g'
        ), '"', '') as path,
        case
            when node.type = 'VARCHAR' then 'text'
            when node.type in ('UBIGINT', 'BIGINT', 'HUGEINT', 'DOUBLE') then 'number'
            when node.type = 'BOOLEAN' then 'boolean'
            when node.type = 'OBJECT' then 'object'
            when node.type = 'ARRAY' then 'list'
            else 'null'
        end as type,
        node.value::varchar in ('{}', '[]') as is_empty,
        node.atom ->> '$' as value
    from structures
    cross join json_tree(structures.payload) as node
    -- The mark of an erasure is ours, and no field of a vendor.
    where node.fullkey not in ('$', '$.callhouse_erased')
),

documented as (
    select
        vendor,
        record,
        list(path) as paths,
        list_filter(
            paths,
            lambda x: len(list_filter(
                paths, lambda y: starts_with(y, x || '.') or starts_with(y, x || '[]')
            )) = 0
        ) as leaves
    from config.vendor_fields
    group by all
),

compared as (
    select
        opened.*,
        coalesce(documented.paths, []) as paths,
        coalesce(documented.leaves, []) as leaves
    from opened
    left join documented on opened.vendor = documented.vendor and opened.record = documented.record
),

placed as (
    select
        * exclude (paths, leaves),
        list_contains(paths, path) as is_listed,
        len(list_filter(
            paths, lambda x: starts_with(x, path || '.') or starts_with(x, path || '[]')
        )) > 0 as has_parts,
        len(list_filter(
            leaves, lambda x: starts_with(path, x || '.') or starts_with(path, x || '[]')
        )) > 0 as is_part
    from compared
),

-- Once per structure, however many items of a list have the field.
counted as (
    select
        * exclude (value),
        min(if(
            is_listed or has_parts or type in ('object', 'list'),
            null,
            left(
                if(
                    type = 'text',
                    regexp_replace(
                        regexp_replace(value, '[\p{L}]', 'x', 'g'), '\d', '9', 'g'
                    ),
                    regexp_replace(value, '\d', '9', 'g')
                ),
                40
            )
        )) as example
    from placed
    where
        not is_part
        and (type not in ('object', 'list') or is_listed or (is_empty and not has_parts))
        and not (type = 'null' and has_parts)
    group by all
)

select
    vendor,
    load_id,
    account,
    record,
    path,
    type,
    read_on,
    is_listed or has_parts as is_documented,
    sum(versions)::bigint as versions,
    sum(recent)::bigint as recent,
    any_value(loaded)::bigint as loaded,
    any_value(loaded_recent)::bigint as loaded_recent,
    min(example) as example
from counted
group by all
