-- One row per call and agent: whether the agent handled it. Of an agent whose part the vendor
-- does not say, the call does: nobody handled one that was not answered.
-- @key vendor, account, vendor_call_id, vendor_agent_id
with named as (
    select
        vendor,
        account,
        vendor_call_id,
        vendor_agent_id,
        min(seq) as seq,
        arg_min(agent_name, seq) as agent_name,
        bool_or(is_bot) as is_bot,
        min(role) as role,
        sum(talk_seconds)::decimal(12, 3) as talk_seconds
    from staging.agents
    where vendor_agent_id is not null
    group by vendor, account, vendor_call_id, vendor_agent_id
)

select
    named.vendor,
    named.account,
    named.vendor_call_id,
    named.vendor_agent_id,
    row_number() over (
        partition by named.vendor, named.account, named.vendor_call_id
        order by named.seq
    )::integer as seq,
    named.agent_name,
    named.is_bot,
    case
        when not calls.is_answered or named.role = 'offered' then 'offered'
        when calls.is_answered then 'handled'
    end as role,
    named.talk_seconds
from named
inner join staging.calls as calls
    on
        named.vendor = calls.vendor
        and named.account = calls.account
        and named.vendor_call_id = calls.vendor_call_id
