-- One row per Voximplant session and part of its conversation: how long it lasted while a leg of
-- the customer was answered. Times that overlap count once.
-- `talk` has the agents, and the telephone that took the call; `transfer` whoever came after that
-- one; `agent` each agent alone. NULL seconds = a leg of the part has no start or no length.
-- @key account, vendor_call_id, part, party
-- @nullable party, seconds
-- @accepted part: talk, transfer, agent
with sided as (
    select
        *,
        if(direction = 'inbound', from_party, to_party) as party,
        role = 'customer' or (
            leg_no = 1
            and bool_and(role = 'agent') over of_call and count(*) over of_call > 1
        ) as is_customer
    from staging.voximplant__legs
    window of_call as (partition by account, vendor_call_id)
),

customers as (
    select
        account,
        vendor_call_id,
        started_at,
        ended_at,
        min(started_at) over (partition by account, vendor_call_id) as first_started_at
    from sided
    where is_customer and is_successful
),

takers as (
    select
        *,
        row_number() over in_turn = 1 as is_first,
        first_value(party) over in_turn as first_party,
        first_value(started_at) over in_turn as taken_at
    from sided
    where not is_customer and role in ('agent', 'transfer', 'other') and is_successful
    window in_turn as (partition by account, vendor_call_id order by started_at, leg_no)
),

together as (
    select
        takers.account,
        takers.vendor_call_id,
        takers.party,
        takers.role,
        takers.is_first,
        takers.started_at > greatest(takers.taken_at, customers.first_started_at)
        and coalesce(takers.party != takers.first_party, true) as is_after,
        takers.started_at is not null and takers.ended_at is not null as is_timed,
        greatest(takers.started_at, customers.started_at) as begun_at,
        greatest(least(takers.ended_at, customers.ended_at), begun_at) as over_at
    from takers
    inner join customers
        on
            takers.account = customers.account
            and takers.vendor_call_id = customers.vendor_call_id
),

parts as (
    select
        account,
        vendor_call_id,
        is_timed,
        begun_at,
        over_at,
        unnest(
            list_filter(
                [
                    (if(role = 'agent' or is_first, 'talk', null), null),
                    (if(is_after, 'transfer', null), null),
                    (if(role = 'agent', 'agent', null), party)
                ]::struct(part varchar, party varchar)[],
                lambda x: x['part'] is not null
            )
        ) as piece
    from together
),

in_turn as (
    select
        *,
        max(over_at) over (
            partition by account, vendor_call_id, piece
            order by begun_at, over_at
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from parts
)

select
    account,
    vendor_call_id,
    piece['part'] as part,
    piece['party'] as party,
    if(
        bool_and(is_timed),
        (
            sum(
                epoch_us(greatest(over_at, covered_until))
                - epoch_us(greatest(begun_at, covered_until))
            )::bigint * 0.000001::decimal(7, 6)
        )::decimal(12, 3),
        null
    ) as seconds
from in_turn
group by all
