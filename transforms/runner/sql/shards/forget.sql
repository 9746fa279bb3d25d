-- Drop what shards are divided by: it is as large as there are records.
drop table temp."run.shards";

drop table temp."run.spans";

drop table temp."run.groups";

drop table temp."run.labels";

drop table temp."run.links"
