-- Records in shards by the value of an expression.
create or replace temp table "run.shards" as
select
    *,
    dense_rank() over (order by {key}) as shard
from temp."run.spans" as spans
