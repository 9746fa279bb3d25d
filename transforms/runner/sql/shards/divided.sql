-- A group of records that is in several shards.
select
    groups.declared,
    groups.vendor,
    groups.account
from temp."run.groups" as groups
inner join temp."run.shards" as shards
    on
        groups.vendor = shards.vendor
        and groups.account = shards.account
        and groups.record_id = shards.record_id
group by groups.declared, groups.vendor, groups.account, groups.node
having count(distinct shards.shard) > 1
limit 1
