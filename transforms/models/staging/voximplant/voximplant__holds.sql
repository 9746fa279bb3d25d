-- One row per transaction of a Voximplant account that was reserved, as it was last read.
-- @reference
-- @key account, transaction_id
select
    account,
    record_id as transaction_id,
    payload
from raw.voximplant__transaction_holds
qualify row_number() over (
    partition by account, record_id
    order by load_no desc, fetched_at desc
) = 1
