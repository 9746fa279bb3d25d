-- One row per transaction of a Voximplant account, where the ledger is read: as it was last
-- read. What is reserved and was not withdrawn since is not committed.
-- @key account, transaction_id
-- @not_null is_usage, is_committed
-- @column transaction_id: transaction_id
-- @column vendor_account: account_id
-- @column performed_at: performed_at
-- @column amount: amount
-- @column currency: currency (RUR is RUB)
-- @column transaction_type: transaction_type
-- @column resource_type: resource_type, with extended information
-- @column application_name: application_name, with extended information
-- @column is_usage: whether transaction_type is resource_charge
-- @column is_committed: whether GetTransactionHistory lists it without is_uncommitted
with listed as (
    select
        account,
        transaction_id,
        payload,
        true as is_committed
    from staging.voximplant__withdrawals
    union all
    select
        holds.account,
        holds.transaction_id,
        holds.payload,
        false as is_committed
    from staging.voximplant__holds as holds
    anti join staging.voximplant__withdrawals as withdrawals
        on
            holds.account = withdrawals.account
            and holds.transaction_id = withdrawals.transaction_id
),

opened as (
    select
        * exclude (payload),
        from_json(
            payload,
            '{
                "account_id": "VARCHAR", "performed_at": "VARCHAR", "amount": "VARCHAR",
                "currency": "VARCHAR", "transaction_type": "VARCHAR",
                "resource_type": "VARCHAR", "application_name": "VARCHAR"
            }'
        ) as record
    from listed
)

select
    account,
    transaction_id,
    nullif(record['account_id'], '') as vendor_account,
    read_time(record['performed_at'], 'UTC') as performed_at,
    try_cast(record['amount'] as decimal(18, 6)) as amount,
    case
        when upper(record['currency']) = 'RUR' then 'RUB'
        when regexp_full_match(upper(record['currency']), '[A-Z]{3}')
            then upper(record['currency'])
    end as currency,
    nullif(record['transaction_type'], '') as transaction_type,
    nullif(record['resource_type'], '') as resource_type,
    nullif(record['application_name'], '') as application_name,
    coalesce(record['transaction_type'] = 'resource_charge', false) as is_usage,
    is_committed
from opened
