-- Records in shards of a size, in the order of time: the versions of a shard are close together in
-- the raw file, and a shard reads little else. Records that belong together have the place of the
-- first of them.
create or replace temp table "run.shards" as
with labelled as (
    select
        groups.vendor,
        groups.account,
        groups.record_id,
        min(labels.label) as label
    from temp."run.groups" as groups
    inner join temp."run.labels" as labels on groups.node = labels.node
    group by groups.vendor, groups.account, groups.record_id
),

units as (
    select
        spans.vendor,
        labelled.label,
        if(labelled.label is null, spans.account, null) as account,
        if(labelled.label is null, spans.record_id, null) as record_id,
        min(spans.first_at) as first_at,
        count(*) as records
    from temp."run.spans" as spans
    left join labelled
        on
            spans.vendor = labelled.vendor
            and spans.account = labelled.account
            and spans.record_id = labelled.record_id
    group by all
),

numbered as (
    select
        *,
        (sum(records) over (
            order by vendor, first_at, label, account, record_id
            rows between unbounded preceding and current row
        ) - records)::bigint // {size} as shard
    from units
)

select
    spans.*,
    coalesce(own.shard, grouped.shard) as shard
from temp."run.spans" as spans
left join labelled
    on
        spans.vendor = labelled.vendor
        and spans.account = labelled.account
        and spans.record_id = labelled.record_id
left join numbered as grouped
    on spans.vendor = grouped.vendor and labelled.label = grouped.label
left join numbered as own
    on
        spans.vendor = own.vendor
        and spans.account = own.account
        and spans.record_id = own.record_id
