-- One row per member of a voice session, in the vendor's order.
-- A member has a part and a name, but neither times nor a number.
-- @key account, vendor_call_id, leg_no
-- @column leg_no: order in members
-- @column role: members[].role
-- @column party_name: members[].displayName, else identity
-- @column vendor_result: members[].callState
with members as (
    select
        account,
        record_id as vendor_call_id,
        unnest(session['members']) as member,
        generate_subscripts(session['members'], 1)::integer as leg_no
    from staging.evovoice__sessions
    where is_call
)

select
    account,
    vendor_call_id,
    leg_no,
    case
        when member['role'] in ('Agent', '2') then 'agent'
        when member['role'] in ('Caller', '1') then 'customer'
        when member['role'] in ('Transfer', '3') then 'transfer'
        else 'other'
    end as role,
    coalesce(nullif(member['displayName'], ''), nullif(member['identity'], ''))
        as party_name,
    nullif(member['callState'], '') as vendor_result
from members
