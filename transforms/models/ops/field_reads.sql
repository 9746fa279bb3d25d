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

-- A structure stands in a load for all versions that have it, in one of them.
structures as (
    select
        vendor,
        load_id,
        account,
        record,
        min(read_on) as read_on,
        count(*) as versions,
        count(*) filter (where is_recent) as recent,
        min(payload) as payload
    from versions
    group by vendor, load_id, account, record, structure
),

loads as (
    select
        vendor,
        load_id,
        account,
        record,
        min(read_on) as read_on,
        sum(versions) as loaded,
        sum(recent) as loaded_recent
    from structures
    group by vendor, load_id, account, record
),

-- The same structure is in many loads: what has equal keys and types is taken apart once.
shaped as (
    select
        vendor,
        load_id,
        account,
        record,
        versions,
        recent,
        payload,
        md5(concat_ws(
            ' ',
            json_keys(payload)::varchar,
            json_keys(payload, '$..*')::varchar,
            json_type(payload, '$..*')::varchar,
            json_array_length(payload, '$..*')::varchar
        )) as shape
    from structures
),

shapes as (
    select
        shape,
        vendor,
        record,
        min(payload) as payload
    from shaped
    group by shape, vendor, record
),

opened as (
    select
        shapes.* exclude (payload),  -- noqa: RF02
        node.fullkey,
        case
            when node.type = 'VARCHAR' then 'text'
            when node.type in ('UBIGINT', 'BIGINT', 'HUGEINT', 'DOUBLE') then 'number'
            when node.type = 'BOOLEAN' then 'boolean'
            when node.type = 'OBJECT' then 'object'
            when node.type = 'ARRAY' then 'list'
            else 'null'
        end as type,
        node.value::varchar in ('{}', '[]') as is_empty
    from shapes
    cross join json_tree(shapes.payload) as node
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

named as (
    select distinct
        vendor,
        record,
        fullkey,
        replace(regexp_replace(
            regexp_replace(substr(fullkey, 3), '\[\d+\]', '[]', 'g'), '\d{5,}', '#', 'g'
        ), '"', '') as path
    from opened
),

compared as (
    select
        named.*,
        coalesce(documented.paths, []) as paths,
        coalesce(documented.leaves, []) as leaves
    from named
    left join documented on named.vendor = documented.vendor and named.record = documented.record
),

-- Each path is looked up once in all that is documented.
places as (
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
fields as (
    select distinct
        opened.shape,
        opened.vendor,
        opened.record,
        places.path,
        opened.type,
        places.is_listed or places.has_parts as is_documented
    from opened
    inner join places
        on
            opened.vendor = places.vendor
            and opened.record = places.record
            and opened.fullkey = places.fullkey
    where
        not places.is_part
        and (
            opened.type not in ('object', 'list')
            or places.is_listed
            or (opened.is_empty and not places.has_parts)
        )
        and not (opened.type = 'null' and places.has_parts)
),

counted as (
    select
        shaped.vendor,
        shaped.load_id,
        shaped.account,
        shaped.record,
        fields.path,
        fields.type,
        any_value(fields.is_documented) as is_documented,
        sum(shaped.versions)::bigint as versions,
        sum(shaped.recent)::bigint as recent
    from shaped
    inner join fields
        on
            shaped.vendor = fields.vendor
            and shaped.record = fields.record
            and shaped.shape = fields.shape
    group by all
),

-- Values are read only of what has a field that is not documented.
unknown as (
    select distinct
        vendor,
        record,
        shape
    from fields
    where not is_documented and type not in ('object', 'list', 'null')
),

values_read as (
    select
        shaped.vendor,
        shaped.load_id,
        shaped.account,
        shaped.record,
        node.fullkey,
        node.type,
        node.atom ->> '$' as value
    from shaped
    semi join unknown
        on
            shaped.vendor = unknown.vendor
            and shaped.record = unknown.record
            and shaped.shape = unknown.shape
    cross join json_tree(shaped.payload) as node
    where node.type not in ('OBJECT', 'ARRAY', 'NULL')
),

examples as (
    select
        read.vendor,
        read.load_id,
        read.account,
        read.record,
        places.path,
        if(read.type = 'VARCHAR', 'text', if(read.type = 'BOOLEAN', 'boolean', 'number')) as type,
        min(left(
            if(
                read.type = 'VARCHAR',
                regexp_replace(
                    regexp_replace(read.value, '[\p{L}]', 'x', 'g'), '\d', '9', 'g'
                ),
                regexp_replace(read.value, '\d', '9', 'g')
            ),
            40
        )) as example
    from values_read as read
    inner join places
        on
            read.vendor = places.vendor
            and read.record = places.record
            and read.fullkey = places.fullkey
    where not places.is_listed and not places.has_parts and not places.is_part
    group by all
)

select
    counted.vendor,
    counted.load_id,
    counted.account,
    counted.record,
    counted.path,
    counted.type,
    loads.read_on,
    counted.is_documented,
    counted.versions,
    counted.recent,
    loads.loaded::bigint as loaded,
    loads.loaded_recent::bigint as loaded_recent,
    examples.example
from counted
inner join loads
    on
        counted.vendor = loads.vendor
        and counted.load_id = loads.load_id
        and counted.account = loads.account
        and counted.record = loads.record
left join examples
    on
        counted.vendor = examples.vendor
        and counted.load_id = examples.load_id
        and counted.account = examples.account
        and counted.record = examples.record
        and counted.path = examples.path
        and counted.type = examples.type
