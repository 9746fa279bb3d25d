-- One row per agent of a voice session: who answered, then the members with that part.
-- A member of the answerer's name is the answerer, for the two lists number people
-- differently.
-- @key account, vendor_call_id, seq
-- @column seq: answeredById first, then the order in members
-- @column vendor_agent_id: answeredById, else answeredByName; members[].identity, else displayName
-- @column agent_name: answeredByName; members[].displayName
-- @column is_bot: members are people
with answerers as (
    select
        account,
        record_id as vendor_call_id,
        0 as seq,
        coalesce(nullif(session['answeredById'], ''), nullif(session['answeredByName'], ''))
            as vendor_agent_id,
        nullif(session['answeredByName'], '') as agent_name,
        false as is_bot
    from staging.evovoice__sessions
    where is_call and vendor_agent_id is not null
),

entries as (
    select
        account,
        record_id as vendor_call_id,
        unnest(session['members']) as member,
        generate_subscripts(session['members'], 1)::integer as seq
    from staging.evovoice__sessions
    where is_call
),

members as (
    select
        account,
        vendor_call_id,
        seq,
        coalesce(nullif(member['identity'], ''), nullif(member['displayName'], ''))
            as vendor_agent_id,
        nullif(member['displayName'], '') as agent_name,
        false as is_bot
    from entries
    where member['role'] in ('Agent', '2')
)

select
    account,
    vendor_call_id,
    seq,
    vendor_agent_id,
    agent_name,
    is_bot
from answerers
union all
select members.*
from members
anti join answerers
    on
        members.account = answerers.account
        and members.vendor_call_id = answerers.vendor_call_id
        and members.agent_name = answerers.agent_name
