-- The numbers of the shards.
select distinct shard
from temp."run.shards" as shards
order by shard
