-- The records to rebuild that are in a group which one shard must have whole. A node is a group:
-- what declares it, its account and its value, as a hash. Two groups with one hash are in one
-- shard, which does no harm.
create or replace temp table "run.groups" (
    declared integer,
    vendor varchar,
    account varchar,
    record_id varchar,
    node ubigint
)
