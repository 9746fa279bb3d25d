-- One row per transaction of an account whose ledger of money is read: what the ledger says, and
-- what the lines of calls with its number say. Calls from before the ledger's first
-- transaction are left out, unless it has their charges.
-- @kind table
-- @key vendor, account, transaction_id
-- @not_null verdict
-- @accepted verdict: matched, mismatched, no_call, not_withdrawn, no_usage
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column transaction_id: the vendor's number of the charge
-- @column day: UTC date on which it was withdrawn, else on which its call began, else on which it
--     was reserved; NULL = none is known
-- @column call_key: the call with its lines, the first one of several; NULL = none has it
-- @column transaction_type: as in vendor_transactions; NULL = the ledger does not have it
-- @column resource_type: as in vendor_transactions; NULL = not given
-- @column currency: ISO 4217 of the ledger, else of the lines; NULL = neither gives one
-- @column ledger_amount [currency]: what was withdrawn, a charge positive; NULL = not withdrawn yet,
--     or cannot be read
-- @column cost_amount [currency]: what the lines of calls say; NULL = no line with a price has it
-- @column difference [currency]: ledger_amount minus cost_amount; NULL = one of them is, or their
--     currencies differ
-- @column verdict: matched; mismatched in amount or currency, or one cannot be read; no_call (a
--     charge for a use that no line has); not_withdrawn (a line has it, and the ledger does not, or
--     not yet); no_usage (a payment, a fee)
with ledgers as (
    select
        vendor,
        account,
        min(performed_at) as begins_at
    from main.vendor_transactions
    group by all
),

per_call as (
    select
        calls.vendor,
        calls.account,
        lines.vendor_transaction_id as transaction_id,
        lines.call_key,
        min(calls.started_at) as started_at,
        max(lines.currency) as currency,
        -- One charge may stand at two lines of a call; two amounts are two charges.
        sum(distinct lines.amount) as amount
    from main.fact_call_costs as lines
    inner join main.fact_calls as calls on lines.call_key = calls.call_key
    where
        lines.source = 'reported'
        and lines.amount is not null
        and lines.vendor_transaction_id is not null
    group by all
),

charged as (
    select
        vendor,
        account,
        transaction_id,
        min(call_key) as call_key,
        min(started_at) as started_at,
        max(currency) as currency,
        sum(amount)::decimal(18, 6) as amount
    from per_call
    group by all
),

compared as (
    select
        coalesce(ledger.vendor, charged.vendor) as vendor,
        coalesce(ledger.account, charged.account) as account,
        coalesce(ledger.transaction_id, charged.transaction_id) as transaction_id,
        (
            coalesce(
                if(ledger.is_committed, ledger.performed_at, null),
                charged.started_at,
                ledger.performed_at
            ) at time zone 'UTC'
        )::date as day,
        charged.call_key,
        ledger.transaction_type,
        ledger.resource_type,
        ledger.is_usage,
        coalesce(ledger.is_committed, false) as is_withdrawn,
        coalesce(ledger.currency, charged.currency) as currency,
        if(ledger.is_committed, -ledger.amount, null)::decimal(18, 6) as ledger_amount,
        charged.amount as cost_amount,
        if(
            ledger.currency = charged.currency,
            (ledger_amount - cost_amount)::decimal(18, 6),
            null
        ) as difference
    from main.vendor_transactions as ledger
    full join charged
        on
            ledger.vendor = charged.vendor
            and ledger.account = charged.account
            and ledger.transaction_id = charged.transaction_id
    left join ledgers on charged.vendor = ledgers.vendor and charged.account = ledgers.account
    where ledger.vendor is not null or charged.started_at >= ledgers.begins_at
)

select
    vendor,
    account,
    transaction_id,
    day,
    call_key,
    transaction_type,
    resource_type,
    currency,
    ledger_amount,
    cost_amount,
    difference,
    case
        when not is_usage then 'no_usage'
        when not is_withdrawn then 'not_withdrawn'
        when cost_amount is null then 'no_call'
        when difference = 0 then 'matched'
        else 'mismatched'
    end as verdict
from compared
