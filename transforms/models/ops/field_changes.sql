-- One row per field of a vendor's records that is new, has gone dark, or has another type of value
-- than before. It changes nothing in what is loaded: a record is stored byte for byte.
-- @kind table
-- @key vendor, record, path, change
-- @not_null noticed_on
-- @accepted change: new, gone, type
-- @column vendor: its name in the configuration
-- @column record: the raw table
-- @column path: path of the field in the record
-- @column change: new = no document of the vendor has it; gone = over half of the records of the month
--     before had it, and of those of the last seven days none has; type = its values have a type
--     that they did not have in the month before
-- @column noticed_on: UTC day of the first load that shows it
-- @column before: what its values were: their types; NULL = it is new
-- @column now: what they are since; NULL = it is gone
-- @column example: a value of a new field, letters as x and digits as 9; NULL = it is not new, or has
--     no value
with days as (
    select
        fields.*,
        (run.now at time zone 'UTC')::date as today,
        fields.read_on > today - 7 as is_late,
        fields.read_on between today - 37 and today - 7 as is_earlier
    from ops.field_reads as fields
    cross join config.run as run
),

loads as (
    select
        vendor,
        record,
        account,
        load_id,
        is_late,
        is_earlier,
        any_value(loaded_recent) as loaded
    from days
    group by all
),

loaded as (
    select
        vendor,
        record,
        sum(loaded) filter (where is_late) as late,
        sum(loaded) filter (where is_earlier) as earlier
    from loads
    group by all
),

uses as (
    select
        vendor,
        record,
        path,
        coalesce(sum(recent) filter (where is_late and type != 'null'), 0) as late,
        coalesce(sum(recent) filter (where is_earlier and type != 'null'), 0) as earlier,
        max(read_on) filter (where type != 'null' and recent > 0) as last_read_on,
        string_agg(distinct type, ', ' order by type) filter (where is_earlier and type != 'null')
            as types_before
    from days
    group by all
),

new_fields as (
    select
        vendor,
        record,
        path,
        'new' as change,
        min(read_on) as noticed_on,
        null as before,
        string_agg(distinct type, ', ' order by type) as now,
        min(example) as example
    from days
    where not is_documented
    group by all
),

gone_fields as (
    select
        uses.vendor,
        uses.record,
        uses.path,
        'gone' as change,
        uses.last_read_on + 7 as noticed_on,
        uses.types_before as before,
        null as now,
        null as example
    from uses
    inner join loaded on uses.vendor = loaded.vendor and uses.record = loaded.record
    where uses.late = 0 and loaded.late >= 10 and 2 * uses.earlier > loaded.earlier
),

other_types as (
    select
        days.vendor,
        days.record,
        days.path,
        'type' as change,
        min(days.read_on) as noticed_on,
        any_value(uses.types_before) as before,
        string_agg(distinct days.type, ', ' order by days.type) as now,
        null as example
    from days
    inner join uses
        on
            days.vendor = uses.vendor and days.record = uses.record and days.path = uses.path
    where
        days.is_late
        and days.type != 'null'
        and uses.types_before is not null
        and not list_contains(string_split(uses.types_before, ', '), days.type)
    group by days.vendor, days.record, days.path
)

select *
from new_fields
union all
select *
from gone_fields
union all
select *
from other_types
