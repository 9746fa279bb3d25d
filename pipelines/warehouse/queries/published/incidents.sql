-- One row per thing that an operator should know of and act on: its kind, whose it is, since when,
-- and how many. What runs and days say of themselves is not here, but in status_days and the journal.
with mismatched as (
    select
        vendor,
        account,
        count(*) as amount,
        min(window_start) as since
    from ops.reconciliation
    where verdict = 'mismatched'
    group by all
),

quarantined as (
    select
        vendor,
        account,
        count(distinct row(stream, payload)) as amount,
        min(fetched_at) as since
    from ops.quarantine
    where is_open
    group by all
),

doubted as (
    select
        vendor,
        account,
        count(*) as amount,
        min(since) as since
    from (
        select *
        from ops.absences
        qualify
            row_number() over (
                partition by vendor, account, record, record_id order by load_no desc
            ) = 1
    ) as newest
    where state = 'doubted'
    group by all
),

fields as (
    select
        changes.vendor,
        count(*) as amount,
        min(changes.noticed_on)::timestamp at time zone 'UTC' as since,
        string_agg(
            format('{}.{} is {}', changes.record, changes.path, changes.change), ', '
            order by changes.record, changes.path
        ) as names
    from ops.field_changes as changes
    cross join ops.build_info as info
    where changes.noticed_on > (info.as_of at time zone 'UTC')::date - 30
    group by all
),

-- Only the fields are named: a value may be of a person, and messages leave the house.
words as (
    select
        vendor,
        count(*) as amount,
        min(first_seen_at) as since,
        string_agg(distinct field, ', ' order by field) as names
    from ops.unmapped_values
    group by all
),

-- An invoice can be compared once no call of its month can change any more.
invoices as (
    select
        vendor,
        account,
        count(*) as amount,
        min(month)::timestamp at time zone 'UTC' as since,
        string_agg(
            format(
                '{} by {} {}',
                strftime(month, '%Y-%m'),
                difference::decimal(24, 2)::varchar,
                currency
            ),
            ', ' order by month
        ) as names
    from main.invoice_reconciliation
    where abs(difference) >= 0.01 and pending_calls = 0 and incomplete_days = 0
    group by all
),

found as (
    select
        'mismatch' as kind,
        *
    from mismatched
    union all by name
    select
        'quarantine' as kind,
        *
    from quarantined
    union all by name
    select
        'disappearance' as kind,
        *
    from doubted
    union all by name
    select
        'fields' as kind,
        *
    from fields
    union all by name
    select
        'words' as kind,
        *
    from words
    union all by name
    select
        'invoice' as kind,
        *
    from invoices
)

select
    kind,
    vendor,
    account,
    amount,
    since,
    names
from found
order by all
