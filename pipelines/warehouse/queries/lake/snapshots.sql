-- The snapshots of a lake, the newest first, and whether its tables can be gone back to.
select
    snapshot_id,
    commit_message is not null as is_signed
from ducklake_snapshots('{name}')
order by snapshot_id desc
