-- One row per UTC month with calls and who has a price list: the version that is in effect
-- in that month, the last one read before it was over, else the first one known.
-- @key account, owner_kind, owner_id, month
with months as (
    select distinct
        account,
        date_trunc('month', created_at at time zone 'UTC') as month,
        (month + interval 1 month) at time zone 'UTC' as month_end
    from staging.evovoice__sessions
)

select
    months.month,
    owners.account,
    owners.owner_kind,
    owners.owner_id,
    owners.is_in_force,
    owners.is_byoa,
    owners.fetched_at
from months
inner join staging.evovoice__price_owners as owners on months.account = owners.account
qualify row_number() over (
    partition by owners.account, owners.owner_kind, owners.owner_id, months.month
    order by
        owners.fetched_at >= months.month_end,
        abs(epoch_us(months.month_end) - epoch_us(owners.fetched_at))
) = 1
