-- One row per field that a vendor documents, or that a record of it had: where it lands, and how
-- many records have it.
-- @kind table
-- @key vendor, record, path
-- @not_null is_documented
-- @column vendor: its name in the configuration
-- @column record: the raw table
-- @column path: path of the field in the record, such as calls[].cost
-- @column is_documented: whether it is in the list of documented fields beside the vendor's source
-- @column lands: the columns that it feeds; NULL = none, or it is not documented
-- @column unused: why it feeds none; NULL = it does, or it is not documented
-- @column types: types of its values in JSON, with a comma between them; NULL = no value was read
-- @column first_read_on: first UTC day on which a record had it, with a value or null; NULL = none had
-- @column last_read_on: last UTC day on which a record had it with a value; NULL = none had
-- @column share: of the versions of the last 30 days that were read, those that have it with a value;
--     NULL = none was read, or records of this table are not counted
with reads as (
    select
        vendor,
        record,
        path,
        bool_or(is_documented) as is_documented,
        string_agg(distinct type, ', ' order by type) filter (where type != 'null') as types,
        min(read_on) as first_read_on,
        max(read_on) filter (where type != 'null') as last_read_on
    from ops.field_reads
    group by all
),

loads as (
    select
        fields.vendor,
        fields.record,
        fields.account,
        fields.load_id,
        any_value(fields.loaded) as loaded
    from ops.field_reads as fields
    cross join config.run as run
    where fields.read_on > (run.now at time zone 'UTC')::date - 30
    group by all
),

lately as (
    select
        vendor,
        record,
        sum(loaded) as loaded
    from loads
    group by all
),

had as (
    select
        fields.vendor,
        fields.record,
        fields.path,
        sum(fields.versions) as versions
    from ops.field_reads as fields
    cross join config.run as run
    where fields.type != 'null' and fields.read_on > (run.now at time zone 'UTC')::date - 30
    group by all
)

select
    coalesce(documented.vendor, reads.vendor) as vendor,
    coalesce(documented.record, reads.record) as record,
    coalesce(documented.path, reads.path) as path,
    documented.path is not null or coalesce(reads.is_documented, false) as is_documented,
    documented.lands,
    documented.unused,
    reads.types,
    reads.first_read_on,
    reads.last_read_on,
    round(coalesce(had.versions, 0) / lately.loaded, 4)::decimal(5, 4) as share
from config.vendor_fields as documented
full join reads
    on
        documented.vendor = reads.vendor
        and documented.record = reads.record
        and documented.path = reads.path
left join lately
    on
        coalesce(documented.vendor, reads.vendor) = lately.vendor
        and coalesce(documented.record, reads.record) = lately.record
left join had
    on reads.vendor = had.vendor and reads.record = had.record and reads.path = had.path
