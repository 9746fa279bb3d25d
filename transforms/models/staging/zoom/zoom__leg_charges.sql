-- One row per leg of a Zoom engagement that has a charge, where all charges of its legs are in one
-- currency: only then have they a sum. `is_cost` where the engagement itself has no charge: a text
-- that cannot be read is one, which is not known.
-- @key account, vendor_call_id, leg_no
-- @not_null amount, currency, is_cost
select
    details.account,
    details.vendor_call_id,
    details.leg_no,
    charges.amount,
    charges.currency,
    sum(charges.amount) over of_engagement as engagement_amount,
    coalesce(trim(calls.record['charge']), '') in ('', '-') as is_cost
from staging.zoom__details as details
inner join staging.zoom__voice_calls as calls
    on details.account = calls.account and details.vendor_call_id = calls.record_id
inner join staging.zoom__prices as charges
    on details.account = charges.account and details.leg['charge'] = charges.charge
where charges.amount is not null
window of_engagement as (partition by details.account, details.vendor_call_id)
qualify
    min(charges.currency) over of_engagement = max(charges.currency) over of_engagement
