-- One row per transaction of a vendor's own ledger of money, where the vendor has one and its
-- stream is read.
-- @kind table
-- @key vendor, account, transaction_id
-- @not_null is_usage, is_committed
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column transaction_id: the vendor's number, as in fact_call_costs.vendor_transaction_id
-- @column vendor_account: the vendor's own number of the account that it is of; NULL = not given
-- @column performed_at: when the money was withdrawn, or reserved, UTC; NULL = cannot be read
-- @column amount [currency]: with the vendor's sign: a charge is negative; NULL = cannot be read
-- @column currency: ISO 4217; NULL = not given
-- @column transaction_type: the vendor's word, such as resource_charge; NULL = not given
-- @column resource_type: the vendor's word for what was used; NULL = not given
-- @column application_name: whose use it was; NULL = not given
-- @column is_usage: whether it is a charge for what was used, as calls are; else a payment or a fee
-- @column is_committed: false while the money is only reserved
select
    vendor,
    account,
    transaction_id,
    vendor_account,
    performed_at,
    amount,
    currency,
    transaction_type,
    resource_type,
    application_name,
    is_usage,
    is_committed
from staging.transactions
