-- One row per call that time alone may settle: not settled yet, horizon passed. A provisional one
-- is settled when its month is closed, which allowances.rebuild.sql sees.
select
    calls.vendor,
    calls.account,
    calls.vendor_call_id as record_id
from main.fact_calls as calls
inner join config.accounts as accounts
    on calls.vendor = accounts.vendor and calls.account = accounts.account
cross join config.run as run
where
    not calls.is_settled
    and calls.cost_status != 'provisional'
    and calls.started_at + accounts.settle_after <= run.now
