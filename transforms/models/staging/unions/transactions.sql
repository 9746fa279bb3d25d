-- One row per transaction of a vendor's ledger of money: the columns of its
-- <vendor>__transactions.
-- @kind union
select
    null::varchar as account,
    null::varchar as transaction_id,
    null::varchar as vendor_account,
    null::timestamptz as performed_at,
    null::decimal(18, 6) as amount,
    null::varchar as currency,
    null::varchar as transaction_type,
    null::varchar as resource_type,
    null::varchar as application_name,
    null::boolean as is_usage,
    null::boolean as is_committed
where false
