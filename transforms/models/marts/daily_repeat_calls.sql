-- One row per date, vendor and account: how many inbound contacts were a customer's second within 7 days, and
-- how many that were answered had no second one. A contact is a call of a number that can be compared, with
-- the calls of that number which begin while it lasts, such as a bot's that the bot passed on to another
-- vendor; it counts where its first call does. The customer may call any vendor and account. Deleted calls
-- do not count.
-- @kind table
-- @key call_date, vendor, account
-- @nullable call_date
-- @not_null calls, contacts, repeat_known_contacts, repeat_contacts, repeat_elsewhere_contacts
-- @not_null answered_known_contacts, resolved_contacts
-- @column call_date: of the first call of the contact, in the reporting time zone; NULL = never
-- @column vendor: of that call
-- @column account: of that call
-- @column calls [calls]: inbound calls of the contacts; beside the inbound calls of daily_calls it is the
--     share of the data that the row is of
-- @column contacts [contacts]: contacts that began on the date
-- @column repeat_known_contacts [contacts]: of contacts those that began 7 days or more after the
--     oldest call of their account
-- @column repeat_contacts [contacts]: of repeat_known_contacts those that began within 7 days of the begin
--     of the customer's contact before
-- @column repeat_elsewhere_contacts [contacts]: of repeat_contacts those after a contact with another vendor
-- @column answered_known_contacts [contacts]: of contacts those that were answered, and after whose begin
--     7 days have passed
-- @column resolved_contacts [contacts]: of answered_known_contacts those that no other one of the customer
--     followed within 7 days
with calls as (
    select
        call_key,
        call_date,
        vendor,
        account,
        customer_number,
        started_at,
        is_answered,
        coalesce(
            ended_at, started_at + to_microseconds((total_seconds * 1000000)::bigint), started_at
        ) as until,
        min(started_at) over (partition by vendor, account) as oldest
    from main.fact_calls
    where
        direction = 'inbound'
        and customer_number is not null
        and started_at is not null
        and not is_deleted
),

marked as (
    select
        *,
        coalesce(
            started_at > max(until) over (
                partition by customer_number
                order by started_at, call_key
                rows between unbounded preceding and 1 preceding
            ), true
        ) as is_new
    from calls
),

-- Few customers have calls that overlap; of all others each call is a contact.
overlapping as (
    select distinct customer_number
    from marked
    where not is_new
),

numbered as (
    select
        marked.*,
        count(*) filter (where marked.is_new) over (
            partition by marked.customer_number
            order by marked.started_at, marked.call_key
            rows between unbounded preceding and current row
        ) as contact_no
    from marked
    semi join overlapping on marked.customer_number = overlapping.customer_number
),

contacts as (
    select
        marked.customer_number,
        marked.started_at as began_at,
        marked.oldest,
        marked.call_date,
        marked.vendor,
        marked.account,
        marked.is_answered,
        1 as calls
    from marked
    anti join overlapping on marked.customer_number = overlapping.customer_number
    union all
    select
        customer_number,
        min(started_at) as began_at,
        any_value(oldest) filter (where is_new) as oldest,
        any_value(call_date) filter (where is_new) as call_date,
        any_value(vendor) filter (where is_new) as vendor,
        any_value(account) filter (where is_new) as account,
        bool_or(is_answered) as is_answered,
        count(*) as calls
    from numbered
    group by customer_number, contact_no
),

-- 7 days are 168 hours, also where a clock is changed.
neighbours as (
    select
        *,
        lag(vendor) over in_turn as vendor_before,
        lag(began_at) over in_turn as began_before,
        lead(began_at) over in_turn as began_after
    from contacts
    window in_turn as (partition by customer_number order by began_at)
),

compared as (
    select
        neighbours.*,
        neighbours.began_at - to_hours(168) >= neighbours.oldest as is_repeat_known,
        neighbours.began_before >= neighbours.began_at - to_hours(168) as is_repeat,
        neighbours.is_answered and neighbours.began_at + to_hours(168) <= run.now
            as is_answered_known,
        coalesce(neighbours.began_after <= neighbours.began_at + to_hours(168), false)
            as is_followed
    from neighbours
    cross join config.run as run
)

select
    call_date,
    vendor,
    account,
    sum(calls)::bigint as calls,
    count(*) as contacts,
    count(*) filter (where is_repeat_known) as repeat_known_contacts,
    count(*) filter (where is_repeat_known and is_repeat) as repeat_contacts,
    count(*) filter (where is_repeat_known and is_repeat and vendor_before != vendor)
        as repeat_elsewhere_contacts,
    count(*) filter (where is_answered_known) as answered_known_contacts,
    count(*) filter (where is_answered_known and not is_followed) as resolved_contacts
from compared
group by call_date, vendor, account
