-- The vendors' own totals against what was read, by stream: windows of all that is stored.
select
    vendor,
    account,
    stream,
    verdict,
    count(*) as windows,
    sum(rows_distinct)::bigint as records
from ops.reconciliation
group by all
order by all
