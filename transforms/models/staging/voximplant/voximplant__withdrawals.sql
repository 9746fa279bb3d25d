-- One row per transaction of a Voximplant account that was withdrawn, as it was last read.
-- A call is final when its charges are withdrawn, so that new ones compute the calls of all
-- Voximplant accounts again.
-- @reference
-- @key account, transaction_id
select
    account,
    record_id as transaction_id,
    payload
from raw.voximplant__transactions
qualify row_number() over (
    partition by account, record_id
    order by load_no desc, fetched_at desc
) = 1
