-- One row per agent of a voice session: who answered, then the members with that part.
-- A member of the answerer's name is the answerer, for the two lists number people
-- differently.
-- @key account, vendor_call_id, vendor_agent_id
-- @not_null seq
-- @column seq: answeredById first, then the order in members
-- @column vendor_agent_id: answeredById; members[].identity, else displayName
-- @column agent_name: answeredByName; members[].displayName
-- @column is_bot: members are people
with answerers as (
    select
        account,
        record_id as vendor_call_id,
        0 as position,
        session['answeredById'] as vendor_agent_id,
        nullif(session['answeredByName'], '') as agent_name
    from staging.evovoice__sessions
    where is_call and session['answeredById'] != ''
),

listed as (
    select
        account,
        record_id as vendor_call_id,
        unnest(session['members']) as member,
        generate_subscripts(session['members'], 1) as position
    from staging.evovoice__sessions
    where is_call
),

members as (
    select
        account,
        vendor_call_id,
        position,
        nullif(member['displayName'], '') as agent_name,
        coalesce(nullif(member['identity'], ''), agent_name) as vendor_agent_id
    from listed
    where member['role'] in ('Agent', '2')
),

agents as (
    select *
    from answerers
    union all by name
    select members.*
    from members
    anti join answerers
        on
            members.account = answerers.account
            and members.vendor_call_id = answerers.vendor_call_id
            and members.agent_name = answerers.agent_name
)

select
    account,
    vendor_call_id,
    row_number() over (partition by account, vendor_call_id order by min(position))::integer
        as seq,
    vendor_agent_id,
    arg_min(agent_name, position) as agent_name,
    false as is_bot
from agents
where vendor_agent_id is not null
group by account, vendor_call_id, vendor_agent_id
