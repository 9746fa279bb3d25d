-- One row per Zoom engagement with a charge: Zoom gives one total and no parts. The
-- charges of its legs are taken to be in it, so they are no lines.
-- @key account, vendor_call_id, line_no
-- @not_null component, amount, currency, is_leaf
select
    calls.account,
    calls.record_id as vendor_call_id,
    1 as line_no,
    'telephony' as component,
    'charge' as vendor_component,
    charges.amount,
    coalesce(settings.currency, 'USD') as currency,
    'reported' as source,
    true as is_leaf
from staging.zoom__voice_calls as calls
inner join staging.zoom__charges as charges
    on calls.record['charge'] = charges.charge
left join config.accounts as settings
    on settings.vendor = 'zoom' and calls.account = settings.account
where charges.amount is not null
